#!/bin/sh
# Imports hypertick's disk into EC2, runs it once, prints what its serial port said and removes the
# instance. Costs money. The role `vmimport` has to be there (VM Import/Export User Guide).
#
#   contrib/aws/run.sh BUCKET [INSTANCE_TYPE]
set -eu

bucket=$1
type=${2:-t3.micro}
boot_mode=${BOOT_MODE:-legacy-bios} # or uefi

aws s3 cp "${IMAGE:-build/hypertick.img}" "s3://$bucket/hypertick.img"
task=$(aws ec2 import-snapshot --description hypertick \
    --disk-container "Format=RAW,UserBucket={S3Bucket=$bucket,S3Key=hypertick.img}" \
    --query ImportTaskId --output text)
aws ec2 wait snapshot-imported --import-task-ids "$task"
snapshot=$(aws ec2 describe-import-snapshot-tasks --import-task-ids "$task" \
    --query 'ImportSnapshotTasks[0].SnapshotTaskDetail.SnapshotId' --output text)
ami=$(aws ec2 register-image --name "hypertick-$(date +%s)" --architecture x86_64 \
    --virtualization-type hvm --boot-mode "$boot_mode" --ena-support \
    --root-device-name /dev/xvda \
    --block-device-mappings "DeviceName=/dev/xvda,Ebs={SnapshotId=$snapshot}" \
    --query ImageId --output text)
instance=$(aws ec2 run-instances --image-id "$ami" --instance-type "$type" \
    --instance-initiated-shutdown-behavior stop \
    --query 'Instances[0].InstanceId' --output text)
# The report ends in a power-off, and EC2 keeps the console of a stopped instance.
aws ec2 wait instance-stopped --instance-ids "$instance" ||
    echo "it has not powered off; the console follows as it is" >&2
aws ec2 get-console-output --latest --instance-id "$instance" --query Output --output text
aws ec2 terminate-instances --instance-ids "$instance" >/dev/null
echo "left: $ami, $snapshot, s3://$bucket/hypertick.img" >&2
