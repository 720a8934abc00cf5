{{- /*
The namespace of what is the cluster's and no environment's. Call: include "bento-platform.home" $
*/}}
{{- define "bento-platform.home" -}}
{{- .Release.Namespace -}}
{{- end -}}

{{- /*
The ConfigMap that the policies are judged with in an environment. Call: include "bento-platform.parameters" "prod"
*/}}
{{- define "bento-platform.parameters" -}}
{{- printf "bento-policy-parameters-%s" . -}}
{{- end -}}

{{- /*
The objects by which an environment is stepped. A CronJob's name has 52 characters at most: a longer one is cut and gets a hash.
Call: include "bento-platform.step" "prod"
*/}}
{{- define "bento-platform.step" -}}
{{- $name := printf "bento-step-%s" . -}}
{{- if gt (len $name) 52 -}}
{{- $name = printf "%s-%s" (regexReplaceAll "-+$" (trunc 43 $name) "") (sha256sum . | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- /*
The environments that are stepped, as a JSON list; none where that is off. Call: include "bento-platform.stepped" $ | fromJsonArray
*/}}
{{- define "bento-platform.stepped" -}}
{{- $all := keys .Values.environments | sortAlpha -}}
{{- ternary (.Values.stepping.environments | default $all | uniq) list .Values.stepping.enabled | toJson -}}
{{- end -}}
