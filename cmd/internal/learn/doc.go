// Package learn makes a policy of what programs have bound: events go in, ports in each dialect
// that can say them come out. It widens nothing silently. A port that was seen stays one port, at
// its address; what could be wider is a comment.
//
// The names in events are chosen by containers, and an event may come from any file. A name is
// printed in comments only, and printable; or where it is a plain word.
package learn
