{{- /*
What a schema cannot say of the values. Ends the render with all that is wrong at once, a line each.
Call: include "bento-platform.checks" $ , by templates/environments/namespace.yaml alone; it returns nothing.
*/}}
{{- define "bento-platform.checks" -}}
{{- $found := dict "wrong" list "home" (include "bento-platform.home" $) "root" $ -}}
{{- include "bento-platform.checkEnvironments" $found -}}
{{- include "bento-platform.checkPolicies" $found -}}
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
{{- if has $namespace (list $found.home "kube-system" $values.argocd.namespace) -}}
{{- $wrong := "is where the platform itself runs, and policies there could refuse their own mending; use another" -}}
{{- $wrong = printf "environments.%s.namespace: %s (found %s)" $name $wrong $namespace -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- range $name, $store := $values.secretStores -}}
{{- range $store.environments -}}
{{- if not (hasKey $values.environments .) -}}
{{- $wrong := printf "secretStores.%s.environments: no environment of this cluster (found %s); use one of: %s" $name . (keys $values.environments | sortAlpha | join ", ") -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bento-platform.checkPolicies" -}}
{{- $found := . -}}
{{- $values := .root.Values -}}
{{- $ours := list -}}
{{- range $path, $_ := .root.Files.Glob "policies/*.yaml" -}}
{{- $ours = append $ours (base $path | trimSuffix ".yaml") -}}
{{- end -}}
{{- range $name, $_ := $values.policies.local -}}
{{- if has $name $ours -}}
{{- $wrong := printf "policies.local.%s: a policy of the chart has this name; rename the folder policies/local/%s" $name $name -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- $known := concat $ours (keys $values.policies.local) | sortAlpha -}}
{{- range $name, $environment := $values.environments -}}
{{- range $environment.deny -}}
{{- if not (has . $known) -}}
{{- $wrong := printf "environments.%s.deny: no such policy (found %s); use some of: %s" $name . (join ", " $known) -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bento-platform.checkGateway" -}}
{{- $found := . -}}
{{- $gateway := .root.Values.gateway -}}
{{- if $gateway.enabled -}}
{{- if not $gateway.className -}}
{{- $wrong := "gateway.className: is missing; name a GatewayClass of the cluster (kubectl get gatewayclasses)" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- if not $gateway.listeners -}}
{{- $wrong := "gateway.listeners: there is none, so nothing could come in; add one, like {http: {port: 80, protocol: HTTP}}" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- if not .root.Values.environments -}}
{{- $wrong := "gateway.enabled: no environment could use it; give clusters/<cluster>/environments.yaml too (-f)" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- range $name, $listener := $gateway.listeners -}}
{{- if ne (eq $listener.protocol "HTTPS") (not (empty $listener.certificate)) -}}
{{- $wrong := printf "gateway.listeners.%s.certificate: HTTPS needs one, HTTP has none (protocol %s); correct either" $name $listener.protocol -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

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
{{- if not $values.environments -}}
{{- $wrong := "stepping.enabled: there is no environment to step; give clusters/<cluster>/environments.yaml too (-f)" -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- range $stepping.environments -}}
{{- if not (hasKey $values.environments .) -}}
{{- $wrong := printf "stepping.environments: no environment of this cluster (found %s); use some of: %s" . (keys $values.environments | sortAlpha | join ", ") -}}
{{- include "bento-platform.wrong" (dict "found" $found "wrong" $wrong) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
