// Copyright: (c) 2026, Bulwark contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Verifies chains as a peer in Java does: java Judge.java crl|ocsp STATEMENT ROOT LEAF CA... [, crl|ocsp ...]
 *
 * <p>A line for each chain, with a comma between two of them: good, or why not.
 */
class Judge {
    public static void main(String[] arguments) throws Exception {
        for (String chain : String.join("\n", arguments).split("\n,\n")) {
            System.out.println(judge(chain.split("\n")));
        }
    }

    private static String judge(String[] arguments) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<X509Certificate> given = new ArrayList<>();
        for (int number = 2; number < arguments.length; number++) {
            try (InputStream stream = Files.newInputStream(Path.of(arguments[number]))) {
                given.add((X509Certificate) factory.generateCertificate(stream));
            }
        }
        List<X509Certificate> chain = given.subList(1, given.size());
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(given.get(0), null)));
        if (arguments[0].equals("crl")) {
            checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.PREFER_CRLS, PKIXRevocationChecker.Option.NO_FALLBACK));
            try (InputStream stream = Files.newInputStream(Path.of(arguments[1]))) {
                CollectionCertStoreParameters lists = new CollectionCertStoreParameters(factory.generateCRLs(stream));
                parameters.addCertStore(CertStore.getInstance("Collection", lists));
            }
        } else {
            checker.setOptions(
                    EnumSet.of(PKIXRevocationChecker.Option.ONLY_END_ENTITY, PKIXRevocationChecker.Option.NO_FALLBACK));
            checker.setOcspResponses(Map.of(chain.get(0), Files.readAllBytes(Path.of(arguments[1]))));
        }
        parameters.addCertPathChecker(checker);
        try {
            validator.validate(factory.generateCertPath(chain), parameters);
            return "good";
        } catch (CertPathValidatorException error) {
            return error.getReason() + ": " + error.getMessage();
        }
    }
}
