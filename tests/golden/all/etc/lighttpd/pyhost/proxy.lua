-- Managed by Ansible (pyhost.web): changes here are lost
-- Before request.lua, for a trusted proxy: mod_extforward uses the scheme only if it finds the visitor's address,
-- and a proxy may send none, or one that is trusted like itself.
local r = lighty.r
local scheme = r.req_header["X-Forwarded-Proto"]
if scheme == "http" or scheme == "https" then
  r.req_attr["uri.scheme"] = scheme
end
return 0
