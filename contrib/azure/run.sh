#!/bin/sh
# Imports hypertick's fixed VHD into Azure, runs it, and prints its boot log. Costs money; everything is
# in one resource group, which is not removed.
#
#   contrib/azure/run.sh GROUP LOCATION STORAGE_ACCOUNT [SIZE]
set -eu

group=$1
location=$2
account=$3
size=${4:-Standard_B1s}
generation=${GENERATION:-V2} # V1: BIOS, V2: UEFI

az group create --name "$group" --location "$location"
az storage account create --resource-group "$group" --name "$account" --sku Standard_LRS
az storage container create --account-name "$account" --name images
az storage blob upload --account-name "$account" --container-name images --type page \
    --file "${IMAGE:-build/hypertick.vhd}" --name hypertick.vhd --overwrite
# A disk that is attached as it is, unlike an image, needs no agent in it that reports success.
az disk create --resource-group "$group" --name hypertick --os-type Linux \
    --hyper-v-generation "$generation" \
    --source "https://$account.blob.core.windows.net/images/hypertick.vhd"
az vm create --resource-group "$group" --name hypertick --attach-os-disk hypertick --os-type Linux \
    --size "$size" --security-type Standard --boot-diagnostics-storage "$account" --no-wait
az vm wait --resource-group "$group" --name hypertick --exists
sleep 180 # boot, the window, and the copying of the log
az vm boot-diagnostics get-boot-log --resource-group "$group" --name hypertick
echo "az group delete --name $group removes it all" >&2
