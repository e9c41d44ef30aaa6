require clawdbot-kernel.inc
