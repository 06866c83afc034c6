enum { SYSMON_SLACK = 4000000 }; // ns

void sysmon_restore(void);
