{{- /*
The pods of a workload. Call: include "bento-serving.podTemplate" $scope
*/}}
{{- define "bento-serving.podTemplate" -}}
{{- $app := .app -}}
{{- $workload := .workload -}}
{{- $settings := $workload.settings -}}
metadata:
  labels:
    {{- include "bento-serving.workloadLabels" $ | nindent 4 }}
  annotations:
    bento-gitops/configuration: {{ sha256sum $workload.configuration | quote }}
spec:
  serviceAccountName: {{ $app.name | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int $settings.termination.gracePeriodSeconds }}
  {{- with .values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1034
    runAsGroup: 1034
    fsGroup: 1034
    seccompProfile: {type: RuntimeDefault}
  {{- with $settings.placement }}
  {{- with .nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .priorityClass }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "bento-serving.selector" $ | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  containers:
    - name: bento
      {{- include "bento-serving.container" $ | nindent 6 }}
  volumes:
    - name: configuration
      configMap: {name: {{ $workload.name }}}
    - name: bentoml-home
      emptyDir: {sizeLimit: 256Mi}
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
{{- end -}}
