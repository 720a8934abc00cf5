{{- /*
Sets $.resolved, once a render: what the templates place. Call: include "bento-serving.resolve" $ ; it returns nothing.

    resolved: {name, environment, mode, labels, workloads: [...], tracks: [{name, bundle, weight, cold, paths, apis}],
               and what "bento-serving.route" adds}
    workload: {service, component, role, name, track, bundle, image, cold, capacity, settings, callers: [component],
               dependencies: [{service, component, host}], configuration: text, environment: [{name, value}], secrets: [name],
               egress: {...}, tracing: as "bento-serving.tracing" has it, or nothing}

A workload is what gets pods: every component in split mode, the api alone in single mode. Values that cannot work end the render here.
*/}}
{{- define "bento-serving.resolve" -}}
{{- if not (hasKey $ "resolved") -}}
{{- $app := dict "name" (include "bento-serving.application" $) "environment" .Values.environment "mode" (.Values.mode | default "split") -}}
{{- $_ := set $app "labels" (.Values.labels | default dict) -}}
{{- range $empty := list "failures" "workloads" "tracks" -}}
{{- $_ := set $app $empty list -}}
{{- end -}}
{{- $_ := set $ "resolved" $app -}}
{{- include "bento-serving.tracing" $ -}}
{{- $defaults := (.Values.defaults | default dict).roles | default dict -}}
{{- range $name, $said := .Values.tracks -}}
{{- $track := dict "name" $name "bundle" $said.bundle "weight" (int $said.weight) "paths" dict "apis" list -}}
{{- $_ := set $track "cold" (eq ($said.capacity | default "full") "cold") -}}
{{- $components := dict -}}
{{- range $service, $own := $said.components -}}
{{- $settings := get $defaults $own.role | default dict | deepCopy -}}
{{- include "bento-serving.overlay" (dict "base" $settings "over" $own) -}}
{{- $_ := set $components $service $settings -}}
{{- end -}}
{{- $_ := set $track "components" $components -}}
{{- range $service, $settings := $components -}}
{{- if or (eq $settings.role "api") (eq $app.mode "split") -}}
{{- $workload := dict "service" $service "track" $name "bundle" $said.bundle "cold" $track.cold "role" $settings.role "settings" $settings -}}
{{- $_ := set $workload "capacity" $said.capacity -}}
{{- if ne $said.traced false -}}
{{- $_ := set $workload "tracing" $app.tracing -}}
{{- end -}}
{{- $_ := set $workload "image" (printf "%s@%s" $said.image.repository $said.image.digest) -}}
{{- include "bento-serving.workload" (dict "app" $app "workload" $workload "components" $components) -}}
{{- $_ := set $app "workloads" (append $app.workloads $workload) -}}
{{- if eq $settings.role "api" -}}
{{- $_ := set $track "apis" (append $track.apis $workload) -}}
{{- range $settings.apis -}}
{{- range include "bento-serving.apiPaths" . | fromJsonArray -}}
{{- $_ := set $track.paths . true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $app "tracks" (append $app.tracks $track) -}}
{{- end -}}
{{- include "bento-serving.route" $ -}}
{{- include "bento-serving.checks" $ -}}
{{- end -}}
{{- end -}}

{{- /*
Lays `over` on `base`, in place: maps merge deeply, all else replaces. (mergeOverwrite would keep the base's value where the other is 0 or "".)
Call: include "bento-serving.overlay" (dict "base" $map "over" $other) ; it returns nothing.
*/}}
{{- define "bento-serving.overlay" -}}
{{- range $key, $value := .over -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $.base $key)) -}}
{{- include "bento-serving.overlay" (dict "base" (get $.base $key) "over" $value) -}}
{{- else -}}
{{- $_ := set $.base $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
Completes a workload: its names, whom it calls, who calls it, its configuration file and its environment.
Call: include "bento-serving.workload" (dict "app" $app "workload" $workload "components" $settingsByService) ; it returns nothing.
*/}}
{{- define "bento-serving.workload" -}}
{{- $app := .app -}}
{{- $own := .workload -}}
{{- $inside := .components -}}
{{- $called := dict -}}
{{- $dependencies := list -}}
{{- $callers := list -}}
{{- if eq $app.mode "split" -}}
{{- $inside = pick .components $own.service -}}
{{- range $service := $own.settings.dependencies | default list | uniq -}}
{{- $_ := set $called $service (get $.components $service | default dict) -}}
{{- $host := include "bento-serving.objectName" (dict "app" $app "track" $own.track "service" $service) -}}
{{- $dependencies = append $dependencies (dict "service" $service "host" $host "component" (include "bento-serving.componentName" $service)) -}}
{{- end -}}
{{- range $service, $settings := .components -}}
{{- if has $own.service ($settings.dependencies | default list) -}}
{{- $callers = append $callers (include "bento-serving.componentName" $service) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $own "component" (include "bento-serving.componentName" $own.service) -}}
{{- $_ := set $own "name" (include "bento-serving.objectName" (dict "app" $app "track" $own.track "service" $own.service)) -}}
{{- $_ := set $own "dependencies" $dependencies -}}
{{- $_ := set $own "callers" $callers -}}
{{- $_ := set $own "configuration" (include "bento-serving.configuration" (dict "inside" $inside "called" $called "tracing" $own.tracing)) -}}
{{- include "bento-serving.environment" (dict "app" $app "workload" $own "inside" $inside) -}}
{{- end -}}
