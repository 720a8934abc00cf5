{{- define "tiny.name" -}}{{ .Values.application | default .Release.Name }}{{- end }}
{{- define "tiny.checks" -}}
{{- if .Values.refuse }}{{ fail .Values.refuse }}{{ end }}
{{- end }}
