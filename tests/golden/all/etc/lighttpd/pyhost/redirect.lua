-- Managed by Ansible (pyhost.web): changes here are lost
-- After request.lua: sends what is not encrypted to where it is; a proxy that encrypts for us has its scheme.
local r = lighty.r
local uri = r.req_attr["request.orig-uri"]
if r.req_attr["uri.scheme"] == "https" then
  return 0
end
local host = r.req_attr["uri.authority"]:gsub(":[0-9]+$", "")
r.resp_header["Location"] = "https://" .. host .. "" .. uri
return 308
