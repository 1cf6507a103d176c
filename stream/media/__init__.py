"""What sources and sinks share: addresses, SRT, and pictures to and from PyAV."""
