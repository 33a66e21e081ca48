-- Managed by Ansible (pyhost.web): changes here are lost
-- After request.lua: a site without TLS is not there where other sites have it.
local ports = { ["443"] = true, }
if ports[lighty.r.req_attr["request.server-port"]] then
  return 421
end
return 0
