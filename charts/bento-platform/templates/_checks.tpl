{{- /*
What a schema cannot say of the values. Ends the render with all that is wrong at once, a line each.
Call: include "bento-platform.checks" $ , by templates/environments/namespace.yaml alone; it returns nothing.
*/}}
{{- define "bento-platform.checks" -}}
{{- $found := dict "wrong" list "home" (include "bento-platform.home" $) "root" $ -}}
{{- include "bento-platform.checkEnvironments" $found -}}
{{- include "bento-platform.checkPolicies" $found -}}
{{- include "bento-platform.checkOperators" $found -}}
{{- include "bento-platform.checkArgocd" $found -}}
{{- include "bento-platform.checkGateway" $found -}}
{{- include "bento-platform.checkStepping" $found -}}
{{- if $found.wrong -}}
{{- printf "\n\nThe values of bento-platform are wrong:\n  %s\n" (uniq $found.wrong | join "\n  ") | fail -}}
{{- end -}}
{{- end -}}

{{- /*
Notes something wrong. Call: include "bento-platform.wrong" (dict "found" $found "wrong" "POINTER: what is wrong (found ...); what to do")
*/}}
{{- define "bento-platform.wrong" -}}
{{- $_ := set .found "wrong" (append .found.wrong .wrong) -}}
{{- end -}}

{{- define "bento-platform.checkEnvironments" -}}
{{- $found := . -}}
{{- $values := .root.Values -}}
{{- $first := dict -}}
{{- range $name, $environment := $values.environments -}}
{{- $namespace := $environment.namespace -}}
{{- if hasKey $first $namespace -}}
{{- $wrong := "has it too, so nobody could tell whose rules hold there; give each a namespace of its own" -}}
{{- $wrong = printf "environments.%s.namespace: %s %s (found %s)" $name (get $first $namespace) $wrong $namespace -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- $_ := set $first $namespace $name -}}
{{- if has $namespace (list $found.home "kube-system" $values.argocd.namespace $values.gateway.namespace) -}}
{{- $wrong := "is where the platform itself runs, and policies there could refuse their own mending; use another" -}}
{{- $wrong = printf "environments.%s.namespace: %s (found %s)" $name $wrong $namespace -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- range $name, $store := $values.secretStores -}}
{{- range $store.environments -}}
{{- if not (hasKey $values.environments .) -}}
{{- $wrong := printf "secretStores.%s.environments: no environment of this cluster (found %s); use one of: %s" $name . (keys $values.environments | sortAlpha | join ", " | default "none") -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
