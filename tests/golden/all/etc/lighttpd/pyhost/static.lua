-- Managed by Ansible (pyhost.web): changes here are lost
local r = lighty.r
local method = r.req_attr["request.method"]
if method ~= "GET" and method ~= "HEAD" then
  return 405
end
local path = r.req_attr["physical.path"]
-- Hidden files; a folder that is published by its name may begin with a dot, such as /.well-known/.
if ("/" .. path:sub(#r.req_attr["physical.basedir"] + 1)):find("/.", 1, true) then
  return 404
end
local file = lighty.stat(path)
if not file or not file.is_file then
  return 0
end
-- Not by mod_setenv or mod_expire, which would let caches keep errors too.
r.resp_header["Cache-Control"] = r.req_env["PYHOST_CACHE_CONTROL"]
local packed = lighty.stat(path .. ".gz")
if packed and packed.is_file then
  r.resp_header["Vary"] = "Accept-Encoding"
  local accepted = r.req_header["Accept-Encoding"] or ""
  if accepted:find("gzip") and not accepted:find("gzip%s*;%s*q=0%.?0*%s*,?") then
    r.resp_header["Content-Type"] = file["content-type"]
    r.resp_header["Content-Encoding"] = "gzip"
    r.req_attr["physical.path"] = path .. ".gz"
  end
end
return 0
