require recipes-kernel/linux/clawdbot-kernel.inc
