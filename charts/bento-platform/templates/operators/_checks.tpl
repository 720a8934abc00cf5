{{- /*
What the schema of the values cannot say of operators. Called by "bento-platform.checks" alone.
*/}}
{{- define "bento-platform.checkOperators" -}}
{{- if and .root.Values.operators.groups (not .root.Values.policies.enabled) -}}
{{- $wrong := "a Role lets them patch whole routes, and without policies nothing takes back all but the weights" -}}
{{- $wrong = printf "operators.groups: %s (found policies.enabled: false); enable them, or name no groups" $wrong -}}
{{- include "bento-platform.wrong" (dict "found" . "wrong" $wrong) -}}
{{- end -}}
{{- end -}}

{{- /*
Whom a binding of operators binds, as YAML. Call: include "bento-platform.operatorSubjects" $
*/}}
{{- define "bento-platform.operatorSubjects" -}}
{{- range .Values.operators.groups }}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: {{ . | quote }}}
{{- end -}}
{{- end -}}

{{- /*
Not empty where operators may change Argo CD's Applications: the Role and what limits it are rendered by this one condition, with and without
environments; without policies the values are refused. Call: include "bento-platform.operatorsOnArgocd" $
*/}}
{{- define "bento-platform.operatorsOnArgocd" -}}
{{- if and .Values.operators.groups .Values.argocd.enabled .Values.policies.enabled -}}
true
{{- end -}}
{{- end -}}
