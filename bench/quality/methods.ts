/** What is compared: prunec as it is, and what others would do, said in its language. */

export type Method = {
	readonly name: string;
	/** The statement that takes `amount` of each group of `targets`. */
	readonly statement: (targets: readonly string[], amount: string) => string;
	/** Weighs groups against each other to come to as many multiply–adds as the same amount of each would leave. */
	readonly chooses?: boolean;
};

const each =
	(rest: string): Method['statement'] =>
	(targets, amount) =>
		targets.map((target) => `prune ${target} ${amount}${rest}`).join('; ');

export const methods: readonly Method[] = [
	{ name: 'prunec, uniform ratios', statement: each('') },
	{
		name: 'prunec, ratios chosen (`until macs`)',
		chooses: true,
		statement: (targets, share) => `prune ${targets.join(', ')} until macs <= ${share}`,
	},
	{ name: 'FLAP: fluctuation, new biases', statement: each(' by fluctuation with bias') },
	{ name: 'Wanda', statement: each(' by wanda without compensation') },
	{ name: 'magnitude, L1', statement: each(' by l1 without compensation') },
	{ name: 'magnitude, L2', statement: each(' by l2 without compensation') },
	{ name: 'random', statement: each(' by random without compensation') },
];
