/** What lies in no layer's block: groups of units that statements choose from, by target. */

/** Units that go one by one, together with all that is coupled to each. */
export type SurveyedGroup = {
	/** `channels`: the target that cuts it. */
	readonly target: string;
	/** Its first node, for `in "…"`. */
	readonly name: string;
	readonly units: number;
	/** Positions beside them that cannot go, and why; the most frequent reason first. */
	readonly pinned: number;
	readonly reasons: readonly string[];
	/** Numbers in the weights that it cuts. */
	readonly params: number;
	/** Nodes and weights that it cuts, in graph order. */
	readonly members: readonly string[];
};
export type Survey = {
	/** Numbers in weights that some live group of units cuts, each weight once. */
	readonly removable: number;
	readonly groups: readonly SurveyedGroup[];
	/** What cannot go at all: the target, where, and the operator in the way. */
	readonly stuck: readonly { readonly target: string; readonly what: string; readonly why: string }[];
};
