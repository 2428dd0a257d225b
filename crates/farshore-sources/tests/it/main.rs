//! Capture files of our own making, whole and damaged, through the crate's front door.

mod compressed;
mod damage;
mod files;
mod pcap;
mod pcapng;
mod reading;
mod records;
mod rows;
