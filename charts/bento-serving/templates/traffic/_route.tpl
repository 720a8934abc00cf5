{{- /*
A track's api as the backend of a rule; its answers say which bundle gave them. Call: include "bento-serving.backend" (dict "track" $track "weight" 1)
*/}}
{{- define "bento-serving.backend" -}}
- group: ""
  kind: Service
  name: {{ (first .track.apis).name }}
  port: 3000
  weight: {{ .weight }}
  filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set:
          - {name: x-bento-bundle, value: {{ .track.bundle | quote }}}
          - {name: x-bento-track, value: {{ .track.name | quote }}}
{{- end -}}

{{- /*
The paths that are routed, as JSON: the routes that the apis of any track declare, and so neither /metrics nor the probes nor the
generated documentation. An api that declares none (an application of its own under BentoML, a chart used by hand) gets every path.
Prefixes, because a task answers below its route too; except /, which would be every path again.
Call: include "bento-serving.paths" $app.tracks | fromJsonArray
*/}}
{{- define "bento-serving.paths" -}}
{{- $union := dict -}}
{{- range . -}}
{{- $union = merge $union .paths -}}
{{- end -}}
{{- $matches := list -}}
{{- range $path := keys $union | sortAlpha -}}
{{- $matches = append $matches (dict "type" (eq $path "/" | ternary "Exact" "PathPrefix") "value" $path) -}}
{{- end -}}
{{- $matches | default (list (dict "type" "PathPrefix" "value" "/")) | toJson -}}
{{- end -}}
