{{- /*
A track's api as a destination of a VirtualService; its answers say which bundle gave them.
Call: include "bento-serving.destination" (dict "track" $track "weight" 100)
*/}}
{{- define "bento-serving.destination" -}}
- destination: {host: {{ (first .track.apis).name }}, port: {number: 3000}}
  weight: {{ .weight }}
  headers:
    response:
      set: {{- include "bento-serving.answerHeaders" .track | fromJson | toYaml | nindent 8 }}
{{- end -}}

{{- /*
The matches of a VirtualService's route: every path with every combination of headers.
Call: include "bento-serving.istioMatches" (dict "app" $app "combinations" (list $headers))
*/}}
{{- define "bento-serving.istioMatches" -}}
{{- $uris := list -}}
{{- range .app.paths -}}
{{- $uris = append $uris (dict (eq .type "Exact" | ternary "exact" "prefix") .value) -}}
{{- end -}}
{{- $matches := list -}}
{{- range $headers := .combinations -}}
{{- range $uri := $uris -}}
{{- $match := dict "uri" $uri -}}
{{- range $name, $value := $headers -}}
{{- $_ := set $match "headers" (set ($match.headers | default dict) $name (dict "exact" $value)) -}}
{{- end -}}
{{- $matches = append $matches $match -}}
{{- end -}}
{{- end -}}
{{- range $matches }}
- {{ toJson . }}
{{- end -}}
{{- end -}}
