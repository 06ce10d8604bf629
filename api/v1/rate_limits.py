"""Which routes of `/v1` are submissions: for `dependencies=[...]` of a route."""

from fastapi import Depends

from api.http.rate_limit import counted

FileSubmission = Depends(counted("POST /v1/files"))
"""One call is one submission, however many files it stages."""
BatchSubmission = Depends(counted("POST /v1/batches"))
BatchRetry = Depends(counted("POST /v1/batches/{batch_id}/retry_failed"))
AddressExtraction = Depends(counted("POST /v1/extract"))
FileExtraction = Depends(counted("POST /v1/extract/file"))
Ping = Depends(counted("POST /v1/webhooks/{webhook_id}/ping"))
Replay = Depends(counted("POST /v1/webhooks/deliveries/{delivery_id}/replay"))
