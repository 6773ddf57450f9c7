import base64
import json
import sys

from verify import verify

for line in sys.stdin:
    case = json.loads(line)
    try:
        verify(case["secret"], case["headers"], base64.b64decode(case["body"]))
        print("genuine")
    except ValueError:
        print("refused")
