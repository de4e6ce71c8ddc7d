# Every target works as the first command after a clone on a fresh Debian 12 with git and make.
.PHONY: help demo test package run sim prove bench bench-size bench-lists fuzz check format clean
.PHONY: demo-wassenger demo-chat-api demo-cbot demo-wamm demo-whizard demo-standard
help:      ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18
demo:      ## builds, runs the main job end to end, shows what happened
	@scripts/demo
demo-wassenger: ## a day in the life of the profile wassenger
	@scripts/demo wassenger
demo-chat-api: ## a day in the life of the profile chat-api
	@scripts/demo chat-api
demo-cbot: ## a day in the life of the profile cbot
	@scripts/demo cbot
demo-wamm: ## a day in the life of the profile wamm
	@scripts/demo wamm
demo-whizard: ## a day in the life of the profile whizard
	@scripts/demo whizard
demo-standard: ## a day in the life of the profile standard
	@scripts/demo standard
test:      ## installs what is missing, builds twice, runs everything that CI runs
	@scripts/test
package:   ## builds the Debian package, in build/package
	@scripts/package
run:       ## builds and runs hookd for receivers on this machine, data in build/data
	@scripts/run
bench:     ## throughput and CPU beside the bare libraries, latency, size, isolation
	@scripts/bench
bench-size: ## size and isolation with 100,000 endpoints and 1,000,000 deliveries pending
	@scripts/bench --only size,isolation --endpoints 100000 --pending 1000000 --wide 50000 \
	  --json build/bench-size.json
bench-lists: ## pages of lists and details out of 10,000,000 deliveries
	@scripts/bench --only lists --history 10000000 --json build/bench-lists.json
sim:       ## a thousand lives from seeds, in virtual time
	@scripts/sim
prove:     ## the long forms of every harness, hours, and one report: build/prove/report.md
	@scripts/prove
fuzz:      ## every fuzz target for a minute; FUZZ_SECONDS=600 for longer
	@scripts/fuzz
check:     ## format, clang-tidy and the house rules
	@scripts/check
format:    ## rewrites the sources in the house format
	@scripts/format
clean:     ## removes the builds
	rm -rf build
