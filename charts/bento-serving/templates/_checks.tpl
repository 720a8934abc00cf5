{{- /*
What a schema cannot say of the values. Ends the render with all that is wrong at once, a line each.
Call: include "bento-serving.checks" $ , by "bento-serving.resolve" alone; it returns nothing.
*/}}
{{- define "bento-serving.checks" -}}
{{- $app := .resolved -}}
{{- include "bento-serving.checkApplication" $ -}}
{{- include "bento-serving.checkWeights" $ -}}
{{- include "bento-serving.checkRouting" $ -}}
{{- include "bento-serving.checkTracing" $ -}}
{{- include "bento-serving.checkAlerts" $ -}}
{{- range $track := $app.tracks -}}
{{- include "bento-serving.checkTrack" (dict "app" $app "track" $track) -}}
{{- range $service, $settings := $track.components -}}
{{- $at := printf "tracks.%s.components.%s" $track.name $service -}}
{{- include "bento-serving.checkSettings" (dict "app" $app "settings" $settings "at" $at) -}}
{{- include "bento-serving.checkEgress" (dict "app" $app "egress" ($settings.egress | default dict) "at" $at) -}}
{{- end -}}
{{- end -}}
{{- if $app.failures -}}
{{- printf "\n\nThe values of %s are wrong:\n  %s\n" $app.name (uniq $app.failures | join "\n  ") | fail -}}
{{- end -}}
{{- end -}}

{{- /*
Notes something wrong. Call: include "bento-serving.wrong" (dict "app" $app "wrong" "POINTER: what is wrong (found ...); what to do")
*/}}
{{- define "bento-serving.wrong" -}}
{{- $_ := set .app "failures" (append .app.failures .wrong) -}}
{{- end -}}

{{- define "bento-serving.checkApplication" -}}
{{- $app := .resolved -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $app.name) -}}
{{- $wrong := printf "application: names a Service, which starts with a letter (found %q); choose another name" $app.name -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- range $label, $value := $app.labels -}}
{{- if regexMatch "^(bento-gitops|app\\.kubernetes\\.io)/" $label -}}
{{- $wrong := printf "labels: the chart itself sets %s (found %q); use another key" $label $value -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bento-serving.checkWeights" -}}
{{- $app := .resolved -}}
{{- $total := 0 -}}
{{- $parts := list -}}
{{- $names := list -}}
{{- $beside := list -}}
{{- $split := false -}}
{{- range $app.tracks -}}
{{- $total = add $total .weight -}}
{{- $parts = append $parts (printf "%s %d" .name .weight) -}}
{{- $names = append $names .name -}}
{{- $split = or $split (and (gt .weight 0) (lt .weight 100)) -}}
{{- if and (gt .weight 0) (ne .name $.Values.stable) -}}
{{- $beside = append $beside (printf "%s %d" .name .weight) -}}
{{- end -}}
{{- end -}}
{{- if not $app.tracks -}}
{{- $example := "--set mode=single,tracks.blue.bundle=1.0.0,tracks.blue.weight=100,tracks.blue.image.repository=registry.example.com/tickets" -}}
{{- $example = printf "%s,tracks.blue.image.digest=sha256:...,tracks.blue.components.Tickets.role=api" $example -}}
{{- $wrong := printf "tracks: there is none; say what to run, for instance %s" $example -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- else if ne (int $total) 100 -}}
{{- $wrong := printf "tracks: weights add up to %d, not 100 (found %s); change one" $total (join ", " $parts) -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- else if and $split (eq $app.route "none") -}}
{{- $wrong := printf "routing.controller: none cannot split requests (found %s); use gateway, or give one track 100" (join ", " $parts) -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- else if gt (len $beside) 1 -}}
{{- $wrong := printf "tracks: only stable and one other get live requests (found %s beside it); give the rest 0" (join ", " $beside) -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- if and $app.tracks (not (has .Values.stable $names)) -}}
{{- $wrong := printf "stable: names no track (found %q); use one of: %s" (toString .Values.stable) (join ", " $names) -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}

{{- define "bento-serving.checkTrack" -}}
{{- $app := .app -}}
{{- $track := .track -}}
{{- $at := printf "tracks.%s" $track.name -}}
{{- $apis := list -}}
{{- $byName := dict -}}
{{- range $service, $settings := $track.components -}}
{{- if eq $settings.role "api" -}}
{{- $apis = append $apis $service -}}
{{- end -}}
{{- $name := include "bento-serving.kebab" $service -}}
{{- if not $name -}}
{{- $wrong := printf "%s.components.%s: a name without letters and digits names no object; rename the service in the code" $at $service -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- else if hasKey $byName $name -}}
{{- $wrong := printf "%s.components: %s and %s both become the object name %s; rename one in the code" $at (get $byName $name) $service $name -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- $_ := set $byName $name $service -}}
{{- range $settings.dependencies -}}
{{- if and (eq $app.mode "split") (or (eq . $service) (not (hasKey $track.components .))) -}}
{{- $wrong := "is no other component of the track, so BentoML would quietly run it in this process; add it, or set mode to single" -}}
{{- $wrong = printf "%s.components.%s.dependencies: %s %s" $at $service . $wrong -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if ne (len $apis) 1 -}}
{{- $wrong := printf "%s.components: one has the role api (found %s); correct the roles" $at (join ", " $apis | default "none") -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- if and $track.cold (gt $track.weight 0) -}}
{{- $wrong := printf "%s.capacity: cold runs no pods, but the weight is %d; make it full, or the weight 0" $at $track.weight -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}

{{- define "bento-serving.checkSettings" -}}
{{- $app := .app -}}
{{- $settings := .settings -}}
{{- $needed := list "workers" "resources.cpu" "resources.memory" "scaling.minReplicas" "scaling.maxReplicas" "traffic.timeout" -}}
{{- range $path := concat $needed (list "termination.preStopSeconds" "termination.gracePeriodSeconds") -}}
{{- $keys := splitList "." $path -}}
{{- $found := get $settings (first $keys) -}}
{{- range rest $keys -}}
{{- $found = get ($found | default dict) . -}}
{{- end -}}
{{- if or (kindIs "invalid" $found) (eq (toString $found) "") -}}
{{- $wrong := printf "%s.%s: is missing, also in defaults.roles.%s; add it" $.at $path $settings.role -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- $least := dig "scaling" "minReplicas" 0 $settings | int -}}
{{- $most := dig "scaling" "maxReplicas" 0 $settings | int -}}
{{- if gt $least $most -}}
{{- $wrong := printf "%s.scaling: minReplicas is above maxReplicas (found %d and %d); change one" .at $least $most -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- else if and (lt $least $most) (not (dig "scaling" "metrics" dict $settings)) -}}
{{- $wrong := printf "%s.scaling.metrics: is empty, so nothing chooses between %d and %d pods; add a metric" .at $least $most -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- range $type, $target := dig "scaling" "metrics" dict $settings -}}
{{- if not $target.value -}}
{{- $wrong := printf "%s.scaling.metrics.%s.value: is missing; add the percent of what is requested" $.at $type -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- $sleep := dig "termination" "preStopSeconds" 0 $settings | float64 -}}
{{- $timeout := dig "traffic" "timeout" 0 $settings | float64 -}}
{{- $grace := dig "termination" "gracePeriodSeconds" 0 $settings | float64 -}}
{{- if le $grace (addf $sleep $timeout) -}}
{{- $wrong := "is not above preStopSeconds plus traffic.timeout, so requests would be cut" -}}
{{- $wrong = printf "%s.termination.gracePeriodSeconds: %s (found %v, %v and %v); raise it" .at $wrong $grace $sleep $timeout -}}
{{- include "bento-serving.wrong" (dict "app" $app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}

{{- define "bento-serving.checkEgress" -}}
{{- range $name, $place := .egress -}}
{{- $inCluster := or $place.namespace $place.podLabels -}}
{{- if eq (empty $place.cidr) (empty $inCluster) -}}
{{- $wrong := printf "%s.egress.%s: is either a cidr or pods (namespace, podLabels); say which" $.at $name -}}
{{- include "bento-serving.wrong" (dict "app" $.app "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
