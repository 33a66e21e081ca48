-- Managed by Ansible (pyhost.web): changes here are lost
-- What visitors send, for the access log. There lighttpd writes \xhh for what is not ASCII, which is no JSON, and its own
-- escapes for JSON are none either (\v, half of UTF-8): such a text goes there URL-encoded.
local r = lighty.r
local sent = {
  HOST = r.req_header["Host"],
  URI = r.req_attr["request.orig-uri"],
  REFERER = r.req_header["Referer"],
  USER_AGENT = r.req_header["User-Agent"],
}
for name, text in pairs(sent) do
  if text:find("[^ -~]") then
    text = text:gsub("[^%w$_.+!*'(),:@&=/~-]", function(byte)
      return ("%%%02x"):format(byte:byte())
    end)
  end
  r.req_env["PYHOST_LOG_" .. name] = text
end
return 0
