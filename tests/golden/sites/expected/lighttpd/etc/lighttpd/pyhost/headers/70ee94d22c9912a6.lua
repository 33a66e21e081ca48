-- Managed by Ansible (pyhost.web): changes here are lost
-- Before an answer begins, whoever gives it: what it has already stays.
local sent = lighty.r.resp_header
if not sent["Content-Security-Policy"] then
  sent["Content-Security-Policy"] = "default-src 'self'; img-src \"x\""
end
if not sent["Referrer-Policy"] then
  sent["Referrer-Policy"] = "strict-origin-when-cross-origin"
end
if not sent["X-Content-Type-Options"] then
  sent["X-Content-Type-Options"] = "nosniff"
end
if not sent["X-Own"] then
  sent["X-Own"] = "value"
end
return 0
