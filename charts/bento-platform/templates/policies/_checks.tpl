{{- /*
What the schema of the values cannot say of policies. Called by "bento-platform.checks" alone.
*/}}
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
