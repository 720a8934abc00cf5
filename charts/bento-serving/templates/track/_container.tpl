{{- /*
The one container of a workload's pods: one BentoML service, and whatever no --depends takes out of its process.
Call: include "bento-serving.container" (dict "app" $app "workload" $workload)
*/}}
{{- define "bento-serving.container" -}}
{{- $workload := .workload -}}
{{- $settings := $workload.settings -}}
{{- $asked := dict "cpu" $settings.resources.cpu "memory" $settings.resources.memory -}}
{{- $bounds := dict "memory" (dig "limits" "memory" $settings.resources.memory $settings.resources) -}}
{{- with dig "limits" "cpu" "" $settings.resources -}}
{{- $_ := set $bounds "cpu" . -}}
{{- end -}}
{{- with int $settings.resources.gpu -}}
{{- $_ := set $asked "nvidia.com/gpu" (toString .) -}}
{{- $_ := set $bounds "nvidia.com/gpu" (toString .) -}}
{{- end -}}
image: {{ $workload.image }}
imagePullPolicy: IfNotPresent
args:
  - start-http-server
  - --service-name
  - {{ $workload.service | quote }}
  - --host
  - 0.0.0.0
  - --port
  - "3000"
  {{- range $workload.dependencies }}
  - --depends
  - {{ .service }}=http://{{ .host }}:3000
  {{- end }}
env:
  {{- /* toYaml answers what it cannot write with nothing at all. */}}
  {{- toYaml $workload.environment | required "envs: a value has a character that YAML cannot hold; remove it" | nindent 2 }}
{{- with $workload.secrets }}
envFrom:
  {{- range . }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
{{- end }}
ports:
  - {name: http, containerPort: 3000, protocol: TCP}
resources:
  requests: {{- toYaml $asked | nindent 4 }}
  limits: {{- toYaml $bounds | nindent 4 }}
{{- range $probe, $path := dict "startup" "/readyz" "readiness" "/readyz" "liveness" "/livez" }}
{{- with get ($settings.probes | default dict) $probe }}
{{ $probe }}Probe:
  httpGet: {path: {{ $path }}, port: http, scheme: HTTP}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with int $settings.termination.preStopSeconds }}
lifecycle:
  preStop:
    sleep: {seconds: {{ . }}}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: configuration, mountPath: /etc/bentoml, readOnly: true}
  - {name: bentoml-home, mountPath: /var/lib/bentoml}
  - {name: tmp, mountPath: /tmp}
{{- end -}}
