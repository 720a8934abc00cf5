{{- /*
Class, certificate, hosts and paths of an Ingress that leads to one track; nginx pairs two by hosts and paths, which are therefore the same.
Call: include "bento-serving.ingressSpec" (dict "app" $app "routing" $.Values.routing "track" $track)
*/}}
{{- define "bento-serving.ingressSpec" -}}
ingressClassName: {{ .routing.ingressClass | quote }}
{{- with .routing.tls }}
tls:
  - secretName: {{ .secret | quote }}
    {{- with $.routing.hostnames }}
    hosts: {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
rules:
  {{- range $host := .routing.hostnames | default (list "") }}
  - http:
      paths:
        {{- range $path := $.app.paths }}
        - path: {{ $path.value | quote }}
          pathType: {{ eq $path.type "Exact" | ternary "Exact" "Prefix" }}
          backend:
            service: {name: {{ (first $.track.apis).name }}, port: {number: 3000}}
        {{- end }}
    {{- with $host }}
    host: {{ . | quote }}
    {{- end }}
  {{- end }}
{{- end -}}
