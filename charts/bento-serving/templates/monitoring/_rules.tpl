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
People's own labels (owner, tenant) as Prometheus may have them, without those that would hide whose series it is.
Call: include "bento-serving.people" $app | fromYaml
*/}}
{{- define "bento-serving.people" -}}
{{- $taken := list "alertname" "severity" "namespace" "application" "environment" "track" "bundle" "component" "role" "workload" "pod" -}}
{{- $people := dict -}}
{{- range $key, $value := .labels -}}
{{- $name := regexReplaceAll "[^a-zA-Z0-9_]" $key "_" -}}
{{- if and (regexMatch "^[a-zA-Z]" $name) (not (has $name $taken)) -}}
{{- $_ := set $people $name $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $people -}}
{{- end -}}

{{- /*
Sets $app.facts: what the values say, as series that alerts join and dashboards draw: [{record, value, labels}].
Call: include "bento-serving.facts" $ ; it returns nothing.
*/}}
{{- define "bento-serving.facts" -}}
{{- $app := .resolved -}}
{{- $facts := list -}}
{{- $whose := dict "application" $app.name -}}
{{- if $app.environment -}}
{{- $_ := set $whose "environment" $app.environment -}}
{{- end -}}
{{- $slo := .Values.slo | default dict -}}
{{- range $track := $app.tracks -}}
{{- $labels := merge (dict "track" $track.name "bundle" $track.bundle) $whose -}}
{{- $facts = append $facts (dict "record" "bento:weight" "value" $track.weight "labels" $labels) -}}
{{- $facts = append $facts (dict "record" "bento:stable" "value" (eq $track.name $.Values.stable | ternary 1 0) "labels" $labels) -}}
{{- end -}}
{{- range $workload := $app.workloads -}}
{{- if not $workload.cold -}}
{{- $labels := merge (pick $workload "track" "bundle" "component" "role") $whose -}}
{{- $own := $workload.settings.slo | default dict -}}
{{- $people := include "bento-serving.people" $app | fromYaml -}}
{{- $facts = append $facts (dict "record" "bento:workload" "value" 1 "labels" (merge (dict "workload" $workload.name) $labels $people)) -}}
{{- with $own.errorRatio | default $slo.errorRatio -}}
{{- $facts = append $facts (dict "record" "bento:objective:error_ratio" "value" . "labels" $labels) -}}
{{- end -}}
{{- with $own.p95 | default $slo.p95 -}}
{{- $facts = append $facts (dict "record" "bento:objective:p95" "value" . "labels" $labels) -}}
{{- end -}}
{{- with dig "traffic" "maxConcurrency" nil $workload.settings -}}
{{- $facts = append $facts (dict "record" "bento:limit:max_concurrency" "value" . "labels" $labels) -}}
{{- end -}}
{{- with dig "traffic" "timeout" nil $workload.settings -}}
{{- $facts = append $facts (dict "record" "bento:limit:timeout_seconds" "value" . "labels" $labels) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $app "facts" $facts -}}
{{- end -}}

{{- /*
An alert's query: the application's series for $application, and for the name of each threshold its value.
Call: include "bento-serving.query" (dict "app" $app "expr" $expr "alerts" $.Values.alerts)
*/}}
{{- define "bento-serving.query" -}}
{{- $text := replace "$application" (include "bento-serving.series" .app) .expr -}}
{{- range $name, $value := .alerts -}}
{{- if not (kindIs "map" $value) -}}
{{- $text = replace (printf "$%s" $name) (toString $value) $text -}}
{{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}
