{{- /*
The labels that choose this application's series in a query. Call: include "bento-serving.series" $app
*/}}
{{- define "bento-serving.series" -}}
{{- printf "application=%q,environment=%q" .name (.environment | default "") -}}
{{- end -}}

{{- /*
Whether the Prometheus operator is to watch. Call: include "bento-serving.watched" $ ; empty where not.
*/}}
{{- define "bento-serving.watched" -}}
{{- with .Values.monitoring -}}
{{- if and .prometheus (ne (toString .operator) "false") -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
Sets $app.people: people's own labels (owner, tenant) as Prometheus may have them, without those that would hide whose series it is.
Call: include "bento-serving.people" $app ; it returns nothing.
*/}}
{{- define "bento-serving.people" -}}
{{- $taken := list "alertname" "severity" "namespace" "application" "environment" "track" "bundle" "component" "role" "workload" "pod" -}}
{{- $taken = concat $taken (list "caller" "worse" "method_name" "model" "class" "reason" "le") -}}
{{- $people := dict -}}
{{- range $key, $value := .labels -}}
{{- $name := regexReplaceAll "[^a-zA-Z0-9_]" $key "_" -}}
{{- if and (regexMatch "^[a-zA-Z]" $name) (not (has $name $taken)) -}}
{{- $_ := set $people $name $value -}}
{{- end -}}
{{- end -}}
{{- $_ := set . "people" $people -}}
{{- end -}}

{{- /*
What the values say, as series that alerts join and dashboards draw: the text of a list of rules. A workload without pods (a cold standby)
has none. bento:live: requests of users reach the track, by its weight or by a rule of the routes; bento:dependency has the component
that is called, and its caller. Call: include "bento-serving.facts" $

Text and not maps, here and below: 50 applications with maps that become YAML took three times as long.
*/}}
{{- define "bento-serving.facts" -}}
{{- $app := .resolved -}}
{{- $rule := "- record: bento:%s\n  expr: vector(%v)\n  labels: %s\n" -}}
{{- $whose := dict "application" $app.name -}}
{{- if $app.environment -}}
{{- $_ := set $whose "environment" $app.environment -}}
{{- end -}}
{{- $slo := .Values.slo | default dict -}}
{{- $ruled := list -}}
{{- range (.Values.routing | default dict).rules -}}
{{- $ruled = append $ruled .track -}}
{{- end -}}
{{- range $track := $app.tracks -}}
{{- $labels := merge (dict "track" $track.name "bundle" $track.bundle) $whose | toJson -}}
{{- printf $rule "weight" $track.weight $labels -}}
{{- printf $rule "live" (or (gt (int $track.weight) 0) (has $track.name $ruled) | ternary 1 0) $labels -}}
{{- printf $rule "stable" (eq $track.name $.Values.stable | ternary 1 0) $labels -}}
{{- end -}}
{{- range $workload := $app.workloads -}}
{{- if not $workload.cold -}}
{{- $place := merge (pick $workload "track" "bundle" "component" "role") $whose -}}
{{- $labels := toJson $place -}}
{{- $own := $workload.settings.slo | default dict -}}
{{- $traffic := $workload.settings.traffic -}}
{{- $there := dict "workload" $workload.name -}}
{{- with $.Values.monitoring.namespace -}}
{{- $_ := set $there "namespace" . -}}
{{- end -}}
{{- printf $rule "workload" 1 (merge $there $place $app.people | toJson) -}}
{{- $said := dict "objective:error_ratio" ($own.errorRatio | default $slo.errorRatio) "objective:p95" ($own.p95 | default $slo.p95) -}}
{{- $_ := set $said "limit:max_concurrency" $traffic.maxConcurrency -}}
{{- $_ := set $said "limit:timeout_seconds" $traffic.timeout -}}
{{- range $name, $value := $said -}}
{{- with $value -}}
{{- printf $rule $name . $labels -}}
{{- end -}}
{{- end -}}
{{- range $workload.dependencies -}}
{{- $called := dict "component" .component "caller" $workload.component "track" $workload.track "bundle" $workload.bundle -}}
{{- printf $rule "dependency" 1 (merge $called $whose | toJson) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
The rules that record what BentoML counts: rules/recording.yaml without its comments. Call: include "bento-serving.recordings" $
*/}}
{{- define "bento-serving.recordings" -}}
{{- $text := "" -}}
{{- range rest (splitList "\n- " (.Files.Get "rules/recording.yaml")) -}}
{{- $text = printf "%s- %s\n" $text (first (splitList "\n#" .) | trimSuffix "\n") -}}
{{- end -}}
{{- include "bento-serving.queries" (dict "app" .resolved "text" $text) -}}
{{- end -}}

{{- /*
The alerts that are not turned off: each file of alerts/ without its comment, with what differs here, people's labels and its page.
Call: include "bento-serving.alerts" $
*/}}
{{- define "bento-serving.alerts" -}}
{{- $alerts := .Values.alerts | default dict -}}
{{- $labels := "labels:\n" -}}
{{- range $name, $value := .resolved.people -}}
{{- $labels = printf "%s    %s: %s\n" $labels (quote $name) (quote $value) -}}
{{- end -}}
{{- $text := "" -}}
{{- range $path, $_ := .Files.Glob "alerts/*.yaml" -}}
{{- $name := base $path | trimSuffix ".yaml" -}}
{{- $own := get ($alerts.rules | default dict) $name | default dict -}}
{{- if ne (toString $own.enabled) "false" -}}
{{- $alert := printf "\n%s" ($.Files.Get $path) | splitList "\nexpr: |\n" | last -}}
{{- with get $own "for" -}}
{{- $alert = regexReplaceAll "(?m)^for: .*$" $alert (printf "for: %s" .) -}}
{{- end -}}
{{- with $own.severity -}}
{{- $alert = regexReplaceAll "(?m)^  severity: .*$" $alert (printf "  severity: %s" .) -}}
{{- end -}}
{{- $page := printf "%s/%s.md" $alerts.runbooks $name | quote -}}
{{- $alert = replace "annotations:\n" (printf "annotations:\n  runbook_url: %s\n" $page) $alert | trimSuffix "\n" | replace "\n" "\n  " -}}
{{- $text = printf "%s- alert: %s\n  expr: |\n  %s\n" $text $name $alert -}}
{{- end -}}
{{- end -}}
{{- include "bento-serving.queries" (dict "app" .resolved "text" (replace "labels:\n" $labels $text) "alerts" $alerts) -}}
{{- end -}}

{{- /*
What the names of the application's objects and pods match. Of a long name they have as much as bento-serving.fitted leaves, and
Kubernetes cuts a pod's name again, so that not even a dash has to follow. Call: include "bento-serving.objectsPattern" $app
*/}}
{{- define "bento-serving.objectsPattern" -}}
{{- if gt (len .name) 53 -}}
{{- printf "%s.+" (regexReplaceAll "-+$" (trunc 53 .name) "") -}}
{{- else -}}
{{- printf "%s-.+" .name -}}
{{- end -}}
{{- end -}}

{{- /*
Queries as the files in rules/ and alerts/ have them, made this application's: for $application the labels that choose its series, for
$objects a pattern of its objects' names, for names in capitals the labels that are matched, for a threshold's name its value.
Call: include "bento-serving.queries" (dict "app" $app "text" $text "alerts" $.Values.alerts)
*/}}
{{- define "bento-serving.queries" -}}
{{- $text := .text | replace "$application" (include "bento-serving.series" .app) -}}
{{- $text = $text | replace "$objects" (include "bento-serving.objectsPattern" .app) -}}
{{- $text = $text | replace "$LABELS" "namespace, application, environment, track, bundle, component, role" -}}
{{- $text = $text | replace "$MODEL" "namespace, application, environment, model" -}}
{{- range $name, $value := .alerts -}}
{{- if not (kindIs "map" $value) -}}
{{- $text = replace (printf "$%s" $name) (toString $value) $text -}}
{{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}
