enum { SYSMON_SLACK = 4000000 }; // ns
