"""AWS's APIs: as whom they are asked, by which way, and what their refusals mean. For providers and targets alike.

Law of this layer: boto3 is imported only when AWS is asked, and blocks in a bounded pool; nothing of AWS's texts is
repeated but error codes, since they may quote the request that was refused.
"""
