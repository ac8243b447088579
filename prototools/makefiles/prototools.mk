# prototools.mk: convert a folder of Caffe networks, and only what has changed.
#
# Written by `prototools makefile > prototools.mk`. Include it in a Makefile, or use it as it is:
#
#     SRC := nets
#     OUT := build
#     include prototools.mk
#
#     make convert -j4                    rewrite every network below SRC, below OUT
#     make verify                         and compare each with what it was; OUT/NAME.verified tells the numbers
#     make -f prototools.mk SRC='my nets' OUT=out ARGS='--filler-safe' -j -k
#
# Below SRC every .prototxt is rewritten, every .j2 is rendered first, and a .caffemodel of the same name is patched
# beside its net. A file is made again when it, its caffemodel, a template it includes, the options or the version of
# prototools changed. One that fails leaves no target behind; with -k the rest goes on.
#
# Variables, which may be given on the command line, in the environment, or before the include:
#
#     SRC                  the folder of networks, a file, or a pattern such as 'nets/**/deploy*.prototxt'
#     OUT                  the folder that the results go below
#     ARGS                 options of `prototools rewrite`, as the shell reads them: --shape 'data=1,3,473,473'
#     VALUES               options of `prototools render`: -D classes=21
#     VERIFY_ARGS          options of `prototools verify`: --engine caffe --shape 'data=1,3,473,473'
#     PROTOTOOLS           the program
#     PROTOTOOLS_DEPENDS   files of your own that every result depends on
#
# Names may hold blanks and any letters, but none of * ? [, and OUT no backslash. The goal `convert` is the first here,
# so set .DEFAULT_GOAL or include this file at the end.

SRC                ?= nets
OUT                ?= build
ARGS               ?=
VALUES             ?=
VERIFY_ARGS        ?=
PROTOTOOLS         ?= prototools
PROTOTOOLS_DEPENDS ?=

.DELETE_ON_ERROR:
.PHONY: convert verify prototools-always

convert:
verify:

# ---------------------------------------------------------------- the rules for the files that are there

prototools-empty :=
prototools-blank := $(prototools-empty) $(prototools-empty)
prototools-semi  := ;
prototools-quote  = '$(subst ','\'',$1)'
# Blanks at the ends, as in front of a comment, are no part of a name; ~ is what it is for the shell.
prototools-trim   = $(if $(word 2,$1),$1,$(strip $1))
prototools-path   = $(if $(filter ~/%,$(firstword $1)),$(patsubst ~/%,$(HOME)/%,$1),$(prototools-trim))
prototools-odd   := $(strip $(foreach sign,* ? [ \,$(findstring $(sign),$(OUT))))

ifeq ($(strip $(OUT)),)
$(error OUT must name the folder that the results go below, but is empty)
endif
ifneq ($(prototools-odd),)
$(error OUT must be a folder without $(prototools-odd) in its name, but is $(OUT))
endif

# As it is included, and as it is written in front of a colon.
prototools-file  := $(subst $(prototools-blank),\ ,$(call prototools-path,$(OUT)))/.prototools/rules.mk
prototools-rules := $(subst $(prototools-semi),\$(prototools-semi),$(subst :,\:,$(prototools-file)))

# Always looked at, but written only when they change: a file more or less, or another option or version.
$(prototools-rules): prototools-always $(PROTOTOOLS_DEPENDS)
	@$(PROTOTOOLS) makefile --args=$(call prototools-quote,$(ARGS)) --values=$(call prototools-quote,$(VALUES)) \
	    --verify-args=$(call prototools-quote,$(VERIFY_ARGS)) \
	    -- $(call prototools-quote,$(call prototools-path,$(SRC))) \
	    $(call prototools-quote,$(call prototools-path,$(OUT)))

include $(prototools-file)

# ---------------------------------------------------------------- what the rules do

# In each, the shell's variables are names: in, out, weights, new_weights, verified. Writers leave a target alone that
# would not change, so it is touched. A refused layer is no failure where ARGS asked for --partial.

define prototools-rewrite
mkdir -p "$${out%/*}" && \
$(PROTOTOOLS) rewrite --quiet $(ARGS) $${weights:+--weights "$$weights" --weights-out "$$new_weights"} \
    --output "$$out" -- "$$in"; code=$$?; \
if test $$code -eq 0 $(if $(findstring --partial,$(ARGS)),-o $$code -eq 1); then touch "$$out"; \
else rm -f "$$out" $${new_weights:+"$$new_weights"}; exit $$code; fi
endef

define prototools-weights
test -f "$$new_weights" || { $(prototools-rewrite); }; touch "$$new_weights"
endef

define prototools-render
mkdir -p "$${out%/*}" && \
if $(PROTOTOOLS) render $(VALUES) --depfile "$$out.d" --output "$$out" -- "$$in"; then touch "$$out"; \
else code=$$?; rm -f "$$out"; exit $$code; fi
endef

define prototools-verify
if cmp -s "$$in" "$$out"; then echo "nothing was rewritten, so all is equal" > "$$verified"; \
elif $(PROTOTOOLS) verify $${weights:+--weights "$$weights" --weights-after "$$new_weights"} $(VERIFY_ARGS) \
    -- "$$in" "$$out" > "$$verified"; then echo "$$out: verified"; \
else code=$$?; rm -f "$$verified"; exit $$code; fi
endef
