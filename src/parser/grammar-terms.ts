/** The grammar's terms: numbers, positions, conditions. */
import { CstParser, type CstNode, type ParserMethod, type TokenType } from 'chevrotain';
import { bareMessages } from './complaints.ts';
import { lookaheadOnDemand } from './lookahead.ts';
import * as t from './tokens.ts';

export type Rule = ParserMethod<[], CstNode>;
/** An error inside is met by the nearest item or statement, which goes on behind it. */
export const inner = { resyncEnabled: false };
/** With `validated`, chevrotain checks the grammar itself: a test does, a start does not have the time. */
export type GrammarOptions = { readonly validated?: boolean };

export class TermParser extends CstParser {
	readonly number: Rule;
	readonly bound: Rule;
	readonly extent: Rule;
	readonly range: Rule;
	readonly positions: Rule;
	readonly text: Rule;
	readonly value: Rule;
	readonly operand: Rule;
	readonly expression: Rule;

	constructor({ validated = false }: GrammarOptions) {
		super([...t.tokens], {
			recoveryEnabled: true,
			maxLookahead: 1,
			lookaheadStrategy: lookaheadOnDemand(1),
			skipValidations: !validated,
			errorMessageProvider: bareMessages,
		});
		this.number = this.RULE('number', () => this.#number(), inner);
		this.bound = this.RULE('bound', () => this.#bound(), inner);
		this.extent = this.RULE('extent', () => this.#extent(), inner);
		this.range = this.RULE('range', () => this.#range(), inner);
		this.positions = this.RULE('positions', () => this.#positions(), inner);
		this.text = this.RULE('text', () => this.#text(), inner);
		this.value = this.RULE('value', () => this.#value(), inner);
		this.operand = this.RULE('operand', () => this.#operand(), inner);
		this.expression = this.RULE('expression', () => this.#expression(), inner);
	}

	/** Better no token than one the author did not write. */
	protected override canTokenTypeBeInsertedInRecovery(_type: TokenType): boolean {
		return false;
	}

	#positions(): void {
		this.OR([
			{ ALT: () => this.SUBRULE(this.range) },
			{
				ALT: () => {
					this.CONSUME(t.ListOpen);
					this.OPTION(() => {
						this.SUBRULE1(this.range);
						this.MANY(() => {
							this.CONSUME(t.Comma);
							this.SUBRULE2(this.range);
						});
					});
					this.CONSUME(t.ListClose);
				},
			},
		]);
	}

	#range(): void {
		this.OR([
			{
				ALT: () => {
					this.SUBRULE(this.bound, { LABEL: 'from' });
					this.OPTION(() => this.SUBRULE(this.extent));
				},
			},
			{ ALT: () => this.SUBRULE1(this.extent) },
		]);
	}

	#extent(): void {
		this.OR([
			{
				ALT: () => {
					this.CONSUME(t.Dots);
					this.OPTION(() => this.SUBRULE(this.bound, { LABEL: 'to' }));
				},
			},
			{
				ALT: () => {
					this.CONSUME(t.DotsEqual);
					this.SUBRULE1(this.bound, { LABEL: 'to' });
				},
			},
		]);
		this.OPTION1(() => {
			this.CONSUME(t.clause.step);
			this.SUBRULE(this.number);
		});
	}

	#bound(): void {
		this.OPTION(() => this.CONSUME(t.Minus));
		this.SUBRULE(this.number);
	}

	#number(): void {
		this.OR([{ ALT: () => this.CONSUME(t.NumberToken) }, { ALT: () => this.CONSUME(t.Parameter) }]);
	}

	/** A string, or the parameter that holds one. */
	#text(): void {
		this.OR([{ ALT: () => this.CONSUME(t.Text) }, { ALT: () => this.CONSUME(t.Parameter) }]);
	}

	/** What a parameter can hold. */
	#value(): void {
		this.OR([
			{ ALT: () => this.SUBRULE(this.positions) },
			{ ALT: () => this.CONSUME(t.Text) },
			{ ALT: () => this.CONSUME(t.Word) },
		]);
	}

	#expression(): void {
		this.SUBRULE(this.operand);
		this.MANY(() => {
			this.CONSUME(t.Infix);
			this.SUBRULE1(this.operand);
		});
	}

	#operand(): void {
		this.MANY(() => {
			this.OR([
				{ ALT: () => this.CONSUME(t.operatorWord.not, { LABEL: 'prefix' }) },
				{ ALT: () => this.CONSUME(t.Minus, { LABEL: 'prefix' }) },
			]);
		});
		this.OR1([
			{
				ALT: () => {
					this.CONSUME(t.GroupOpen);
					this.SUBRULE(this.expression);
					this.CONSUME(t.GroupClose);
				},
			},
			{ ALT: () => this.CONSUME(t.Word) },
			{ ALT: () => this.CONSUME(t.Text) },
			{ ALT: () => this.SUBRULE(this.number) },
		]);
	}
}
