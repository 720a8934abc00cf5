{{- /*
Labels of an object of the application as a whole: people's own, then ours. Call: include "bento-serving.labels" $app
"Helm" is what Helm itself would write over anything else; no release, no chart version: an umbrella has others.
*/}}
{{- define "bento-serving.labels" -}}
{{- $ours := dict "app.kubernetes.io/name" .name "app.kubernetes.io/managed-by" "Helm" "bento-gitops/application" .name -}}
{{- if .environment -}}
{{- $_ := set $ours "bento-gitops/environment" .environment -}}
{{- end -}}
{{- merge $ours .labels | toYaml -}}
{{- end -}}

{{- /*
Labels of an object of one workload, and of its pods. Call: include "bento-serving.workloadLabels" (dict "app" $app "workload" $workload)
*/}}
{{- define "bento-serving.workloadLabels" -}}
{{ include "bento-serving.labels" .app }}
app.kubernetes.io/component: {{ .workload.component | quote }}
app.kubernetes.io/version: {{ .workload.bundle | quote }}
bento-gitops/bundle: {{ .workload.bundle | quote }}
bento-gitops/role: {{ .workload.role }}
bento-gitops/track: {{ .workload.track | quote }}
bento-gitops/component: {{ .workload.component | quote }}
{{- end -}}

{{- /*
What a Deployment, its budget and its spread select: fixed for the life of the Deployment, so no bundle.
Call: include "bento-serving.selector" (dict "app" $app "workload" $workload)
*/}}
{{- define "bento-serving.selector" -}}
bento-gitops/application: {{ .app.name | quote }}
bento-gitops/track: {{ .workload.track | quote }}
bento-gitops/component: {{ .workload.component | quote }}
{{- end -}}

{{- /*
The same and the bundle: what a track's Service and policy select, so that api and runners of two bundles never mix.
Call: include "bento-serving.bundleSelector" (dict "app" $app "workload" $workload)
*/}}
{{- define "bento-serving.bundleSelector" -}}
{{ include "bento-serving.selector" . }}
bento-gitops/bundle: {{ .workload.bundle | quote }}
{{- end -}}
