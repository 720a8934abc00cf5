{{- /*
What a binding reaches: objects in the namespace of its environment, but none of the platform's own there, whatever a policy matches. So no
policy can keep the chart from being mended. Call: include "bento-platform.reach" (dict "root" $ "environment" $environment)
*/}}
{{- define "bento-platform.reach" -}}
namespaceSelector:
  matchLabels: {kubernetes.io/metadata.name: {{ .environment.namespace }}}
resourceRules:
  - {apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*/*"], scope: Namespaced}
excludeResourceRules:
  - {apiGroups: [""], apiVersions: ["*"], operations: ["*"], resources: [limitranges, resourcequotas], resourceNames: [bento-platform]}
  - {apiGroups: [networking.k8s.io], apiVersions: ["*"], operations: ["*"], resources: [networkpolicies], resourceNames: [bento-platform]}
  - {apiGroups: [rbac.authorization.k8s.io], apiVersions: ["*"], operations: ["*"], resources: [roles, rolebindings], resourceNames: [bento-operators, bento-step]}
  {{- with keys .root.Values.secretStores | sortAlpha }}
  - {apiGroups: [external-secrets.io], apiVersions: ["*"], operations: ["*"], resources: [secretstores], resourceNames: {{ toJson . }}}
  {{- end }}
{{- end -}}
