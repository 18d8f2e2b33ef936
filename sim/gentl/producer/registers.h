/* made by python -m voxgate.sim.gentl.generate from features/ */
#ifndef VG_REGISTERS_H
#define VG_REGISTERS_H

#define REGISTER_BYTES 4096
#define CHOICES 8

#define COMPONENT_Intensity 0x1
#define COMPONENT_Range 0x4
#define COMPONENT_Confidence 0x6
#define CHUNK_Timestamp 0x1001
#define CHUNK_FrameID 0x1002
#define CHUNK_ExposureTime 0x1003
#define EVENT_ExposureEnd 0x9001
#define EVENT_FrameTriggerMissed 0x9002
#define FORMAT_Mono8 0x1080001
#define FORMAT_Mono12 0x1100005
#define FORMAT_Mono12p 0x10c0047
#define FORMAT_Mono12Packed 0x10c0006
#define FORMAT_Mono16 0x1100007
#define FORMAT_RGB8 0x2180014
#define FORMAT_BayerRG8 0x1080009
#define FORMAT_Coord3D_ABC32f 0x26000c0
#define FORMAT_Coord3D_C16 0x11000b8
#define FORMAT_Confidence8 0x10800c6

enum {
    REG_DeviceVendorName = 0x0100,
    REG_DeviceModelName = 0x0140,
    REG_DeviceVersion = 0x0180,
    REG_DeviceFirmwareVersion = 0x01c0,
    REG_DeviceSerialNumber = 0x0200,
    REG_DeviceUserID = 0x0240,
    REG_DeviceScanType = 0x0280,
    REG_DeviceSFNCVersionMajor = 0x0288,
    REG_DeviceSFNCVersionMinor = 0x0290,
    REG_DeviceTemperatureSelector = 0x0298,
    REG_DeviceTemperature = 0x02a0,
    REG_DeviceReset = 0x02a8,
    REG_TimestampReset = 0x02b0,
    REG_TimestampLatch = 0x02b8,
    REG_TimestampLatchValue = 0x02c0,
    REG_PtpEnable = 0x02c8,
    REG_PtpDataSetLatch = 0x02d0,
    REG_PtpStatus = 0x02d8,
    REG_PtpOffsetFromMaster = 0x02e0,
    REG_SensorWidth = 0x02e8,
    REG_SensorHeight = 0x02f0,
    REG_WidthMax = 0x02f8,
    REG_HeightMax = 0x0300,
    REG_Width = 0x0308,
    REG_Height = 0x0310,
    REG_OffsetXMax = 0x0318,
    REG_OffsetYMax = 0x0320,
    REG_OffsetX = 0x0328,
    REG_OffsetY = 0x0330,
    REG_HasRange = 0x0338,
    REG_ComponentSelector = 0x0340,
    REG_ComponentEnable = 0x0348,
    REG_ComponentIDValue = 0x0388,
    REG_PixelFormat = 0x03c8,
    REG_AcquisitionMode = 0x0408,
    REG_AcquisitionFrameCount = 0x0410,
    REG_AcquisitionStart = 0x0418,
    REG_AcquisitionStop = 0x0420,
    REG_AcquisitionFrameRate = 0x0428,
    REG_AcquisitionResultingFrameRate = 0x0430,
    REG_ExposureMode = 0x0438,
    REG_ExposureAuto = 0x0440,
    REG_ExposureTime = 0x0448,
    REG_TriggerSelector = 0x0450,
    REG_TriggerMode = 0x0458,
    REG_TriggerSource = 0x0460,
    REG_TriggerActivation = 0x0468,
    REG_TriggerDelay = 0x0470,
    REG_TriggerSoftware = 0x0478,
    REG_LineSelector = 0x0480,
    REG_LineMode = 0x0488,
    REG_LineStatus = 0x0490,
    REG_ChunkModeActive = 0x0498,
    REG_ChunkSelector = 0x04a0,
    REG_ChunkEnable = 0x04a8,
    REG_EventSelector = 0x04e8,
    REG_EventNotification = 0x04f0,
    REG_Scan3dOutputMode = 0x0530,
    REG_Scan3dDistanceUnit = 0x0538,
    REG_Scan3dCoordinateSystem = 0x0540,
    REG_Scan3dCoordinateSystemReference = 0x0548,
    REG_Scan3dCoordinateSelector = 0x0550,
    REG_Scan3dCoordinateScale = 0x0558,
    REG_Scan3dCoordinateOffset = 0x0598,
    REG_Scan3dInvalidDataFlag = 0x05d8,
    REG_Scan3dInvalidDataValue = 0x0618,
    REG_Scan3dFocalLength = 0x0658,
    REG_Scan3dPrincipalPointU = 0x0660,
    REG_Scan3dPrincipalPointV = 0x0668,
    REG_UserSetSelector = 0x0670,
    REG_UserSetLoad = 0x0678,
    REG_UserSetSave = 0x0680,
    REG_UserSetDefault = 0x0688,
    REG_PayloadSize = 0x0690,
    REG_TLParamsLocked = 0x0698,
};

#endif
