# Makes a Hyper-V machine of hypertick's disk, starts it, and writes what comes out of its first serial
# port to a file. In an elevated PowerShell:
#
#   .\hypertick.ps1 -Disk C:\hypertick\hypertick.vhdx -Generation 2
param(
    [Parameter(Mandatory = $true)][string]$Disk,
    [ValidateSet(1, 2)][int]$Generation = 2,
    [int]$Cpus = 2,
    [string]$Log = "hypertick.log"
)
$ErrorActionPreference = "Stop"
$name = "hypertick"

New-VM -Name $name -Generation $Generation -MemoryStartupBytes 128MB -VHDPath $Disk | Out-Null
Set-VM -Name $name -StaticMemory -ProcessorCount $Cpus -AutomaticCheckpointsEnabled $false
if ($Generation -eq 2) {
    Set-VMFirmware -VMName $name -EnableSecureBoot Off
}
Set-VMComPort -VMName $name -Number 1 -Path "\\.\pipe\$name"
Start-VM -Name $name

$pipe = New-Object System.IO.Pipes.NamedPipeClientStream(".", $name, "In")
$pipe.Connect(10000)
$reader = New-Object System.IO.StreamReader($pipe)
$lines = while ($null -ne ($line = $reader.ReadLine())) {
    Write-Host $line
    $line
}
$lines | Set-Content -Path $Log -Encoding ascii

Stop-VM -Name $name -TurnOff -Force -ErrorAction SilentlyContinue
Remove-VM -Name $name -Force
