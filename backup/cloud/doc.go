// Package cloud keeps backups in the buckets of S3, Google Cloud Storage, Azure and what
// else gocloud.dev/blob opens:
//
//	import _ "gocloud.dev/blob/s3blob" // gcsblob, azureblob
//
//	bucket, err := blob.OpenBucket(ctx, "s3://my-bucket?region=eu-central-1&prefix=app/")
//	r, err := backup.Open(cloud.Bucket(bucket), nil)
//
// It is a module of its own, so that what it depends on is no dependency of package
// backup.
package cloud
