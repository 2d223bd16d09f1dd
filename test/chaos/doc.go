// Command chaos breaks a running service at random and keeps books on it.
//
//	make chaos MINUTES=30
//	go run ./test/chaos -seed 17 -rounds 1      # what round 17 did, once more
//
// A round is one indrik with one worker class. Clients of several kinds send it
// requests with names; faults are injected at random moments: processes are killed,
// stopped and continued, the master is frozen, configuration and application are
// replaced by good and by broken ones, requests hang, crash, leak and fork, the
// disk for uploads fills.
//
// The application notes which process began which request before it does anything
// else, and indrik's log says which process ended for what reason. So every request
// that was not answered right is held against what the round did: it is explained
// if the process that held it was struck, and otherwise the round has failed. So it has
// if a worker ended for a reason that no fault explains, a request was begun twice,
// or the service is not at the end what it was at the beginning: as many
// processes, no more descriptors, no more memory.
//
// The seed decides about class, options and the order of faults; when they meet which request is
// the machine's affair, so that a round repeats in kind and not to the letter.
package main
