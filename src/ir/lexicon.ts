/** What the ids of a vocabulary stand for: handed in by the pipeline, which reads files, so that passes stay pure. */
export type Lexicon = {
	/** The ids that a file lists, one a line: numbers, or tokens as the files beside the model spell them. Throws `Fault`. */
	listed(path: string, size: number): readonly number[];
	/** The ids of tokens as the files beside the model spell them. Throws `Fault`. */
	spelled(tokens: readonly string[]): readonly number[];
	/** How often each id occurs in a file of texts. Throws `Fault`. */
	counted(path: string): Promise<ReadonlyMap<number, number>>;
	/** With ids of a byte-pair encoding, those that their tokens are merged from, and those that no merge makes. Throws `Fault`. */
	closed(ids: readonly number[]): readonly number[];
	/** Ids that mean something to those who use the model, of a vocabulary of `size`: padding, start, end, mask, a blank. Throws `Fault`. */
	special(size: number): readonly number[];
	/** The id of what the vocabulary does not have, if there is one. Throws `Fault`. */
	unknown(): number | undefined;
};
