# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything is installed into .venv, .nox and .cache of the checkout, except packages of the system.
SHELL := bash
PYTHON ?= python3
PYTEST_OPTIONS ?=
SCRIPTS ?= 200000
TRIALS ?= 1000
SEED ?= 1
SERVER ?= mariadb-10.5
SERVERS ?= mariadb,mysql
RUNS ?= 5
MIGRATIONS ?= 1000
ROWS ?= 1000000
MUTANTS ?= 500
COMMIT ?= HEAD
SIMULATION := tests/unit/migration/test_simulation.py::test_no_run_violates_the_invariant
BIN := .venv/bin
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.venv/collections
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
# Every target but those of files, which have a dot or a slash in their names.
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' Makefile)

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: packages-demo .venv/demo.stamp ## Run the main job on real servers that it starts
	@PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests $(BIN)/python -m parts.demo

demo-survey: packages-demo .venv/demo.stamp ## Show the survey on hosts that are made for it
	@PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests $(BIN)/python -m parts.demo_survey

test: packages-test .venv/test.stamp .venv/nox.stamp ## Run what CI runs: the seven targets below, and print what ran
	@tests/all.sh 'lint checks sanity' 'unit test-fresh test-ends' 'integration'

test-quick: packages-test .venv/test.stamp ## Check the style, and run the unit tests but the simulation: a minute
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYTHONPATH=.venv/collections $(BIN)/lint-imports
	$(BIN)/pytest tests/unit -n 2 --deselect=$(SIMULATION) $(PYTEST_OPTIONS)

lint: packages-test .venv/test.stamp ## Check the style, the types and the wording
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYTHONPATH=.venv/collections $(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	shellcheck $$(git ls-files '*.sh' .ci/run)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint
	PYTHONPATH=tests $(BIN)/python -m programs.style

style: .venv/test.stamp ## Check the wording of all texts against tests/programs/style/words.yml
	@PYTHONPATH=tests $(BIN)/python -m programs.style

sanity: packages-test .venv/test.stamp ## Run ansible-test sanity on what is shipped, except what the linters check
	tests/sanity.sh --python default --skip-test pep8 --skip-test shellcheck --skip-test yamllint \
	  plugins/ roles/ playbooks/ meta/ changelogs/ galaxy.yml

sanity-all: packages-test .venv/test.stamp ## Run all of ansible-test sanity on every file, for every Python that is found
	tests/sanity.sh

checks: packages-test .venv/nox.stamp ## Check documentation, licences, changelog and what Galaxy would import
	$(BIN)/antsibull-changelog lint
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/nox --reuse-venv=yes --no-error-on-missing-interpreters

unit: packages-test .venv/test.stamp ## Run the unit tests
	$(BIN)/pytest tests/unit $(PYTEST_OPTIONS)

integration: packages-test .venv/test.stamp ## Run the integration tests, on real servers
	$(BIN)/pytest tests/integration -n 3 --dist worksteal -m 'not demo and not fresh and not runner and not canary and not matrix and not settings and not cores and not progress and not rehearsal and not firewalls and not page and not survey and not interchange' $(PYTEST_OPTIONS)

test-servers: packages-test .venv/test.stamp ## Run the engine's tests on each server that is available
	PYTHONPATH=tests $(BIN)/python -m parts.each_server $(PYTEST_OPTIONS)

test-fresh: packages-test .venv/test.stamp ## Follow the first steps, and prepare a runner, on machines that are made for it
	$(BIN)/pytest tests/integration -m fresh $(PYTEST_OPTIONS)

test-demo: packages-test .venv/test.stamp ## Run the demo twice on a machine that is made for it
	$(BIN)/pytest tests/integration/test_demo.py -m demo $(PYTEST_OPTIONS)

messages: .venv/docs/stamp ## Write docs/messages.md from docs/messages.yml
	PYTHONPATH=tests .venv/docs/bin/python -m parts.messages

docs: packages-docs .venv/docs/stamp messages ## Build the documentation as a site, in .docs/html
	rm -rf .docs && mkdir -p .docs/source && cp -r docs examples inventories .docs/source
	cp CHANGELOG.md .docs/source/docs/changelog.md
	sed 's,](docs/,](,g' CONTRIBUTING.md >.docs/source/docs/contributing.md
	mkdir -m 755 .docs/source/docs/reference
	PATH="$(CURDIR)/.venv/docs/bin:$$PATH" antsibull-docs collection --use-current --squash-hierarchy \
	  --dest-dir .docs/source/docs/reference dbops.migrations
	PYTHONPATH=tests .venv/docs/bin/python -m parts.role_pages .docs/source/docs/reference
	.venv/docs/bin/sphinx-build --nitpicky --fail-on-warning --keep-going --quiet .docs/source/docs .docs/html

docs-links: docs ## Check the documentation's links to other sites
	.venv/docs/bin/sphinx-build --builder linkcheck --quiet .docs/source/docs .docs/links

samples: packages-test .venv/test.stamp ## Make the samples of output in README.md and docs again, and rewrite them
	WRITE_SAMPLES=1 $(BIN)/pytest tests/integration/site/test_samples.py \
	  tests/integration/migration/test_documented_samples.py tests/unit/docs/test_shown_*.py

docs-pictures: docs packages-test .venv/test.stamp ## Look at the site in a real browser, with axe-core, and take its pictures again
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m integration.site.pictures .docs/html docs/site

.venv/docs/stamp: tests/requirements/docs.txt | .venv/bin/python
	$(PYTHON) -m venv .venv/docs
	.venv/docs/bin/pip install --quiet --requirement $<
	@touch $@

test-runner: packages-test .venv/test.stamp ## Prepare fresh machines as runners: Debian 12 and 13, stand-ins for CentOS 9 and 10
	$(BIN)/pytest tests/integration -m runner -rP $(PYTEST_OPTIONS)

fuzz: packages-test .venv/test.stamp ## Compare the splitter with the servers, on SCRIPTS generated scripts
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.fuzz $(SCRIPTS)

bench-fetch: packages-test .venv/test.stamp ## Count what fetching costs, beside its peers
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.benchmarks.fetching

bench-fleet: packages-test .venv/test.stamp ## Time what many databases cost, beside what Ansible itself takes
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.benchmarks.fleet

bench-rehearsal: packages-test .venv/test.stamp ## Time what a rehearsal of 3 tables among 1,000 adds to check mode
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.benchmarks.rehearsal

bench-survey: packages-test .venv/test.stamp ## Count what a minute of the survey costs with 20,000 sockets, and the analysis of 1,000 hosts
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.benchmarks.survey
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.benchmarks.survey_analysis

example-survey: .venv/test.stamp ## Write examples/survey again
	rm -rf examples/survey/observations examples/survey/components
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m parts.survey_shop examples/survey

reference: .venv/test.stamp ## Rewrite docs/variables.md and the examples of the roles' READMEs
	PYTHONPATH=tests $(BIN)/python -m parts.role_pages

simulate: packages-test .venv/test.stamp ## Run the engine on a simulated server RUNS times, with random files and faults
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.simulation $(if $(filter command line,$(origin RUNS)),$(RUNS),1000000)

simulate-mutations: packages-test .venv/test.stamp ## Plant faults in the engine, and have the simulation find each
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.simulation.mutations

mutants: packages-test .venv/test.stamp ## Plant MUTANTS faults in module_utils of COMMIT, and count those that the unit tests find
	PYTHONPATH=tests $(BIN)/python -m programs.mutants $(MUTANTS) $(SEED) $(COMMIT)

soak: packages-test .venv/test.stamp ## Interrupt runs at random, TRIALS times, on SERVERS, with the random seed SEED
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.soak $(TRIALS) $(SEED) $(SERVERS)

soak-batches: packages-test .venv/test.stamp ## Cause faults inside transactions of several statements, TRIALS times
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.soak.batches $(TRIALS) $(SEED) $(SERVERS)

soak-alter: packages-test .venv/test.stamp ## Kill SERVER inside its ALTERs, TRIALS times
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.soak.alter $(SERVER) $(TRIALS)

soak-fetch: packages-test .venv/test.stamp ## Kill git_fetch at random instants, TRIALS times
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.soak.fetch $(TRIALS)

soak-many: packages-test .venv/test.stamp ## Kill migration_apply_many over 300 schemas at random instants, TRIALS times
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.soak.many $(TRIALS) $(SEED) $(SERVERS)

soak-rehearsal: packages-test .venv/test.stamp ## Kill rehearsals at random instants, TRIALS times
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.soak.rehearsal $(TRIALS) $(SEED) $(SERVERS)

soak-impact: packages-test .venv/test.stamp ## Compare what ALTERs do to tables of ROWS rows with the prediction, on SERVERS
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.soak.impact $(ROWS) $(if $(filter command line,$(origin SERVERS)),$(SERVERS))

soak-cuts: packages-test .venv/test.stamp ## Cut Ansible's connection to the runner at random instants, TRIALS times
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.soak.cuts $(TRIALS) $(SEED)

canary: packages-test .venv/test.stamp ## Look for secrets everywhere, on every ansible-core that is available
	$(BIN)/pytest tests/integration/roles tests/integration/survey -n 2 --dist worksteal -m canary $(PYTEST_OPTIONS)

test-cores: packages-test .venv/test.stamp ## Try hostile texts, and each way to keep a secret, on every ansible-core
	$(BIN)/pytest tests/integration/roles -n 2 --dist worksteal -m cores $(PYTEST_OPTIONS)

test-progress: packages-test .venv/test.stamp ## Try long runs more ways, and compare their lines with the server on every ansible-core
	$(BIN)/pytest tests/integration/progress tests/integration/migration tests/integration/roles -m progress $(PYTEST_OPTIONS)

terminal: packages-test .venv/test.stamp ## Record what a terminal shows of long runs, for docs/long-runs.md
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.pictures.long_runs docs/long-runs.svg

plan-pictures: packages-test .venv/test.stamp ## Plan three deploys, and make the pictures of docs/plan.md
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.pictures.plan docs/plan

survey-pictures: packages-test .venv/test.stamp ## Take the pictures of the survey's page, for docs/survey.md
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.pictures.survey docs/survey

test-firewalls: packages-test .venv/test.stamp ## Compare the survey's model of a firewall with the kernel, on rarer rules
	$(BIN)/pytest tests/integration/survey -m firewalls $(PYTEST_OPTIONS)

test-page: packages-test .venv/test.stamp ## Look at the survey's page in a real browser, at each size, with axe-core
	$(BIN)/pytest tests/integration/survey -m page -rP $(PYTEST_OPTIONS)

test-waves: packages-test .venv/test.stamp ## Order 10,000 generated graphs of components
	GRAPHS=10000 $(BIN)/pytest tests/unit/survey/test_survey_waves.py $(PYTEST_OPTIONS)

test-survey: packages-test .venv/test.stamp ## Compare the survey with the truth, on real programs whose connections are written down
	$(BIN)/pytest tests/integration/survey -m survey -rP $(PYTEST_OPTIONS)

test-interchange: packages-test .venv/test.stamp ## Take turns with golang-migrate in all generated scenarios
	$(BIN)/pytest tests/integration/migration/test_migration_interchange.py -n 2 $(PYTEST_OPTIONS)

test-settings: packages-test .venv/test.stamp ## Run the whole cycle beside golang-migrate under every setting of the servers
	$(BIN)/pytest tests/integration/migration/test_server_settings.py $(PYTEST_OPTIONS)

test-rehearsal: packages-test .venv/test.stamp ## Copy 750 objects and 20 applications on each server, and try each way out of a rehearsal
	$(BIN)/pytest tests/integration/rehearsal -m rehearsal $(PYTEST_OPTIONS)

test-matrix: packages-test .venv/test.stamp ## Run every ansible-core on every Python that is found, with runners of every Python
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.matrix

test-ends: packages-test .venv/test.stamp ## Run the unit tests and the main path on the lowest and the highest of test-matrix
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.matrix ends

bench: packages-test .venv/test.stamp ## Time the engine beside its peers: the median of RUNS, for MIGRATIONS
	PYTHONPATH=tests:.venv/collections $(BIN)/python -m programs.benchmarks $(RUNS) $(MIGRATIONS)

format: .venv/test.stamp ## Format the Python files
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

build: .venv/demo.stamp ## Build the collection's archive
	$(BIN)/ansible-galaxy collection build --force

clean: ## Remove what the targets have made, downloads included
	rm -rf .venv .nox .cache .demo .docs .ansible .hypothesis .*_cache tests/output *.tar.gz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages-demo:
	@tests/parts/packages.sh demo

packages-docs:
	@tests/parts/packages.sh docs

packages-test:
	@tests/parts/packages.sh test

# The environment, in which the checkout is linked to the place where Ansible looks for a collection.
.venv/bin/python: | packages-demo
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$$($(PYTHON) --version) is too old: name a newer one, for instance make demo PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	mkdir -p .venv/collections/ansible_collections/dbops
	ln -sfn "$(CURDIR)" .venv/collections/ansible_collections/dbops/migrations

.venv/%.stamp: tests/requirements/%.txt tests/requirements/demo.txt | .venv/bin/python
	$(BIN)/pip install --requirement $<
	@touch $@
