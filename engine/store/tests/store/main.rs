//! The store as its users see it: what is put is found again, through
//! demotion, promotion, cleaning, checkpoints and restarts.

mod support;

mod backup;
mod cleaning;
mod dictionaries;
mod faults;
mod images;
mod long;
mod model;
mod newer;
mod offline;
mod power;
mod quick;
mod restart;
mod stay;
mod tail;
mod taken_back;
mod waiting;
