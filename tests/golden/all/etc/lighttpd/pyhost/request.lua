-- Managed by Ansible (pyhost.web): changes here are lost
-- Before anything answers a request.
local r = lighty.r
local uri = r.req_attr["request.orig-uri"]
if uri:gsub("%%%x%x", ""):find("[ %%]") then
  return 400
end
if r.req_attr["request.method"] == "TRACE" then
  return 405
end

local dropped = { "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Real-IP", "Forwarded", "Proxy" }
-- Applications cannot tell such a name from the one with hyphens.
for name in pairs(r.req_header) do
  if name:find("[^%w-]") then
    dropped[#dropped + 1] = name
  end
end
for _, name in ipairs(dropped) do
  r.req_header[name] = nil
end
r.req_header["X-Forwarded-For"] = r.req_attr["request.remote-addr"]
r.req_header["X-Forwarded-Proto"] = r.req_attr["uri.scheme"]
-- mod_proxy would add the address of the proxy before us.
r.req_env["_L_EXTFORWARD_ACTUAL_FOR"] = nil

-- Sites are chosen by the normalised URL; applications get the visitor's, as they do from other servers.
r.req_attr["request.uri"] = uri
r.req_attr["uri.query"] = uri:match("%?([^#]*)") or ""
return 0
