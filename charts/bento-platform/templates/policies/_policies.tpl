{{- /*
The policies that are installed, as JSON by name: {object (its name in the cluster), annotations, spec}. Without environments nobody would be
bound by them, but for what limits operators on a hub. Call: include "bento-platform.policies" $ | fromJson
*/}}
{{- define "bento-platform.policies" -}}
{{- $all := dict -}}
{{- $chosen := dict -}}
{{- if and .Values.policies.enabled .Values.environments -}}
{{- $chosen = .Files.Glob "policies/*.yaml" -}}
{{- else if include "bento-platform.operatorsOnArgocd" $ -}}
{{- $chosen = .Files.Glob "policies/operators-shift-weights-only.yaml" -}}
{{- end -}}
{{- range $path, $_ := $chosen -}}
{{- $policy := $.Files.Get $path | fromYaml -}}
{{- if ne (get $policy.metadata.annotations "bento-gitops/holds") "offline" -}}
{{- $name := $policy.metadata.name -}}
{{- $said := dict "annotations" $policy.metadata.annotations "spec" $policy.spec -}}
{{- $_ := set $all $name (merge (dict "object" (printf "bento-%s" $name)) $said) -}}
{{- end -}}
{{- end -}}
{{- range $name, $policy := ternary .Values.policies.local dict (and .Values.policies.enabled (not (empty .Values.environments))) -}}
{{- if ne $policy.holds "offline" -}}
{{- $said := dict "annotations" (dict "bento-gitops/holds" $policy.holds) "spec" $policy.spec -}}
{{- $_ := set $all $name (merge (dict "object" (printf "bento-local-%s" $name)) $said) -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- /*
The condition by which the break-glass groups pass. Call: include "bento-platform.breakGlass" $groups
*/}}
{{- define "bento-platform.breakGlass" -}}
{{- $groups := list -}}
{{- range . -}}
{{- $groups = append $groups (squote .) -}}
{{- end -}}
{{- printf "!has(request.userInfo.groups) || !request.userInfo.groups.exists(group, group in [%s])" (join ", " $groups) -}}
{{- end -}}

{{- /*
What a binding is judged with, as YAML; empty where its policy has no parameters, "elsewhere" where they are routes of another controller.
A policy that reads a ConfigMap gets the environment's, and refuses without it. One that reads other objects gets those in the namespace of
what is judged that its annotation chooses by label (key, or key=value), and says nothing where there is none.
Call: include "bento-platform.paramRef" (dict "root" $ "policy" $policy "name" "prod" "environment" $environment)
*/}}
{{- define "bento-platform.paramRef" -}}
{{- $own := include "bento-platform.routes" .environment.routing.controller | fromJson -}}
{{- with .policy.spec.paramKind -}}
{{- if eq .kind "ConfigMap" -}}
name: {{ include "bento-platform.parameters" $.name }}
namespace: {{ include "bento-platform.home" $.root }}
parameterNotFoundAction: Deny
{{- else if and (has .kind (list "HTTPRoute" "Ingress" "TraefikService" "VirtualService")) (ne .kind (toString $own.kind)) -}}
elsewhere
{{- else -}}
{{- $chosen := get $.policy.annotations "bento-gitops/parameters" | default "bento-gitops/application" | splitList "=" -}}
selector:
  {{- if eq (len $chosen) 2 }}
  matchLabels: {{ dict (first $chosen) (last $chosen) | toJson }}
  {{- else }}
  matchExpressions: [{key: {{ first $chosen }}, operator: Exists}]
  {{- end }}
parameterNotFoundAction: Allow
{{- end -}}
{{- end -}}
{{- end -}}
