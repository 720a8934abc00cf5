{{- /*
A track's api as Traefik's Service; the Middleware of its name says which bundle answered.
Call: include "bento-serving.traefikBackend" (dict "app" $app "track" $track "timeout" $routing.timeout)
*/}}
{{- define "bento-serving.traefikBackend" -}}
- kind: Service
  name: {{ (first .track.apis).name }}
  port: 3000
  middlewares: [{name: {{ (first .track.apis).name }}}]
  {{- if .timeout }}
  serversTransport: {{ .app.name | quote }}
  {{- end }}
{{- end -}}

{{- /*
Hosts and paths as Traefik's rule.
Call: include "bento-serving.traefikRule" (dict "app" $app "hostnames" $routing.hostnames)
*/}}
{{- define "bento-serving.traefikRule" -}}
{{- $hosts := list -}}
{{- range .hostnames -}}
{{- $hosts = append $hosts (printf "Host(`%s`)" .) -}}
{{- end -}}
{{- $paths := list -}}
{{- range .app.paths -}}
{{- $paths = append $paths (printf "%s(`%s`)" (eq .type "Exact" | ternary "Path" "PathPrefix") .value) -}}
{{- end -}}
{{- with $hosts -}}
{{- printf "(%s) && " (join " || " .) -}}
{{- end -}}
{{- printf "(%s)" (join " || " $paths) -}}
{{- end -}}

{{- /*
The name of the TraefikService that mirrors. A dot is in no application's name, so it is nobody else's.
Call: include "bento-serving.mirrorName" $app
*/}}
{{- define "bento-serving.mirrorName" -}}
{{- include "bento-serving.fitted" (dict "text" (printf "%s.mirror" .name) "whole" (printf "%s.mirror" .name)) -}}
{{- end -}}
