"""The service as the console sees it: typed calls over HTTP, and the live feed. Knows nothing of either side's runtime.

connection   where the service is and what lets us in
errors       every way a call can fail, as one tree
transport    one HTTP exchange: token, time-outs, retries, error mapping
api          `Client`: one method per endpoint
transfers    files up in slices, files down whole
events       `EventStream`: one server-sent event stream that reconnects and resumes
live         `LiveHub`: the latest reading per topic, by stream or by polling
"""
