//! Foreign formats to inputs: pcap, pcapng.
