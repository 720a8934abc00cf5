{{- /*
What the schema of the values cannot say of the CronJobs. Called by "bento-platform.checks" alone.
*/}}
{{- define "bento-platform.checkStepping" -}}
{{- $found := . -}}
{{- $values := .root.Values -}}
{{- $stepping := $values.stepping -}}
{{- if $stepping.enabled -}}
{{- $needed := dict "image.repository" $stepping.image.repository "image.digest" $stepping.image.digest "repository" $stepping.repository "knownHosts" $stepping.knownHosts -}}
{{- range $key, $value := $needed -}}
{{- if not $value -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" (printf "stepping.%s: is missing; add it (docs/platform.md)" $key)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $place := $stepping.egress -}}
{{- if eq (empty $place.cidr) (empty $place.namespace) -}}
{{- $wrong := printf "stepping.egress.%s: is either a cidr or pods of a namespace (namespace, podLabels); say which" $name -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- if not $values.environments -}}
{{- $wrong := "stepping.enabled: there is no environment to step; give clusters/<cluster>/environments.yaml too (-f)" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- range $stepping.environments -}}
{{- if not (hasKey $values.environments .) -}}
{{- $wrong := printf "stepping.environments: no environment of this cluster (found %s); use some of: %s" . (keys $values.environments | sortAlpha | join ", " | default "none") -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
