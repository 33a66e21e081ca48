-- Managed by Ansible (pyhost.web): changes here are lost
-- From the configuration that is loaded, not from this file, which is read again at each request.
lighty.r.resp_body:set({ lighty.r.req_env["PYHOST_GENERATION"] })
return 200
