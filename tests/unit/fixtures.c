/* SPDX-License-Identifier: MIT */
/* Made by fixtures.sh. These keys are public: they protect nothing. */
#include "fixtures.h"

const char fixture_root[] = "-----BEGIN CERTIFICATE-----\n"
                            "MIIBbzCCARSgAwIBAgICEAAwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSbG9ja3Jp\n"
                            "bmcgdGVzdCByb290MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAd\n"
                            "MRswGQYDVQQDDBJsb2NrcmluZyB0ZXN0IHJvb3QwWTATBgcqhkjOPQIBBggqhkjO\n"
                            "PQMBBwNCAAS2SmE5x/U2UrVIHRprX3asFtpGDQgUwxNlrlbI/4TqNYtwjnak4KrE\n"
                            "JhGSEjkEldK27H4KPfeBG/qMMgowqDx5o0IwQDAPBgNVHRMBAf8EBTADAQH/MA4G\n"
                            "A1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQUxr7A9405TIMjIhdwtv+ABcWC7XgwCgYI\n"
                            "KoZIzj0EAwIDSQAwRgIhAPJEBQu6VMKAuil+zfD7kQH9t8fy26iHmQtBtC0Aoqty\n"
                            "AiEAj7Bz66e/Ixc9b+XtGZ608t57fjqH7Uuhagij9L5QNSU=\n"
                            "-----END CERTIFICATE-----\n";

const char fixture_intermediate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBmDCCAT2gAwIBAgICEAEwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSbG9ja3Jp\n"
    "bmcgdGVzdCByb290MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAl\n"
    "MSMwIQYDVQQDDBpsb2NrcmluZyB0ZXN0IGludGVybWVkaWF0ZTBZMBMGByqGSM49\n"
    "AgEGCCqGSM49AwEHA0IABGXZCai2MLzjNc6m9YH+VNg1qro2uWSjOlx07YA94SKW\n"
    "6sOr3yxj5ZherI9eZ5+PIxJL78hbLrKswNiXi5yl0GujYzBhMA8GA1UdEwEB/wQF\n"
    "MAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBTNEHn0LI/YIuRyQx3rnyIP\n"
    "ERynIDAfBgNVHSMEGDAWgBTGvsD3jTlMgyMiF3C2/4AFxYLteDAKBggqhkjOPQQD\n"
    "AgNJADBGAiEAtQkvWkt153YCp3KtbjObQ+axKrSR5Ik8Bn2urIA/PgACIQDYbQ3T\n"
    "WxFyCyGSETJFH7MRik0tZaEnzVc5+nrCotizmQ==\n"
    "-----END CERTIFICATE-----\n";

const char fixture_ecdsa[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBxDCCAWqgAwIBAgICEAIwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSbG9ja3Jp\n"
                             "bmcgdGVzdCByb290MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAU\n"
                             "MRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASZ\n"
                             "2LsGR6dd9SJuMj7cRybmKGAhmngN4yn1wjhjo17vncDFyAYmqge+SML6AGaFGwiT\n"
                             "6mNhjO9TTTo4nsTjlSPXo4GgMIGdMAkGA1UdEwQCMAAwDgYDVR0PAQH/BAQDAgeA\n"
                             "MBMGA1UdJQQMMAoGCCsGAQUFBwMBMCsGA1UdEQQkMCKCCWxvY2FsaG9zdIIPd3d3\n"
                             "LmV4YW1wbGUub3JnhwR/AAABMB0GA1UdDgQWBBQOiwYITLQrQt7PBIs1QyBdJPAL\n"
                             "GTAfBgNVHSMEGDAWgBTGvsD3jTlMgyMiF3C2/4AFxYLteDAKBggqhkjOPQQDAgNI\n"
                             "ADBFAiB3NQA3SIuVbiScmF/CD1otPQIw3dJk+XkPRzv/GKeX4AIhAPcEDyg6HfFI\n"
                             "CByXr4+XO2UZElZ0OCeSZY1MkBBXUAzM\n"
                             "-----END CERTIFICATE-----\n";

const char fixture_p384[] = "-----BEGIN CERTIFICATE-----\n"
                            "MIIB4DCCAYegAwIBAgICEAMwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSbG9ja3Jp\n"
                            "bmcgdGVzdCByb290MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAU\n"
                            "MRIwEAYDVQQDDAlsb2NhbGhvc3QwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAATcXWXD\n"
                            "GSKvolwKglg+iuMd3P8mx1FQZH0mQH9rnkZZdF2akO6HVomaji8G6HEl7QXHh/uR\n"
                            "SXaWW25wtv6g9Ig1IyJzCTcdEQWlssVCPdC0pNsZAesYdOZum81o9HMzn52jgaAw\n"
                            "gZ0wCQYDVR0TBAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUH\n"
                            "AwEwKwYDVR0RBCQwIoIJbG9jYWxob3N0gg93d3cuZXhhbXBsZS5vcmeHBH8AAAEw\n"
                            "HQYDVR0OBBYEFKAD+I8Vvgk14yfIgg73Ws3L84M4MB8GA1UdIwQYMBaAFMa+wPeN\n"
                            "OUyDIyIXcLb/gAXFgu14MAoGCCqGSM49BAMCA0cAMEQCIA21FrasT0Tie4E/dVx3\n"
                            "r9MD3jR798yZj7Iy0b7D+wRuAiAb5pKiO17zYUT6LXVrJ8/nDKKo9m7fBpCULKhn\n"
                            "fgv0Dg==\n"
                            "-----END CERTIFICATE-----\n";

const char fixture_rsa[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIICjzCCAjWgAwIBAgICEAQwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSbG9ja3Jp\n"
                           "bmcgdGVzdCByb290MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAU\n"
                           "MRIwEAYDVQQDDAlsb2NhbGhvc3QwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK\n"
                           "AoIBAQC9FibFDwzwQ4Zr2cXf3ythIerLaZOte7qWk51GKrmPHiTadE/auZh0BxYW\n"
                           "rI4q43/BemRuWnpm+EJHxZiPuBNBprNLDrQODWofKjSCD6i1tFGS7DmooKX5RdIz\n"
                           "GKbE94Bv5+tO+DlMbR0dbYsy74Vn4OcRldusf6vG30xu/VP00VJbqVsUNPG206GO\n"
                           "aTzpH8NPaFxTG7y+EKhIsdTAhxqMyg5uQeHNe5E7+eR9gOqdal1fcxSzw6bq3cQV\n"
                           "6w0NQ16g7VhlfkP9TG+ofaToewRYuFEPp+YBf+Jj/0R96gTG+BuE3qSQWjIbaZ2x\n"
                           "hmxaPTdPcHb4rqyPgxUki/5pgCU7AgMBAAGjgaAwgZ0wCQYDVR0TBAIwADAOBgNV\n"
                           "HQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwKwYDVR0RBCQwIoIJbG9j\n"
                           "YWxob3N0gg93d3cuZXhhbXBsZS5vcmeHBH8AAAEwHQYDVR0OBBYEFHYZmPqoLZlG\n"
                           "4Ae9NjTY8Jl67Ye8MB8GA1UdIwQYMBaAFMa+wPeNOUyDIyIXcLb/gAXFgu14MAoG\n"
                           "CCqGSM49BAMCA0gAMEUCIQD5zk1EVGcVOVJaVj+WO1v3GESx4WNqMIqx0uvDuFdY\n"
                           "zQIgGH1wbwAT7Fa4Fp4lD1f40IEkfoyeFZQg0q0Wp7Wzy9o=\n"
                           "-----END CERTIFICATE-----\n";

const char fixture_ed25519[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBlTCCATugAwIBAgICEAUwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSbG9ja3Jp\n"
                               "bmcgdGVzdCByb290MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAU\n"
                               "MRIwEAYDVQQDDAlsb2NhbGhvc3QwKjAFBgMrZXADIQBUGUeXi4VWT7Q5GyrcTfZ3\n"
                               "FDILfAlwYIPLVyFyA3ca1KOBoDCBnTAJBgNVHRMEAjAAMA4GA1UdDwEB/wQEAwIH\n"
                               "gDATBgNVHSUEDDAKBggrBgEFBQcDATArBgNVHREEJDAigglsb2NhbGhvc3SCD3d3\n"
                               "dy5leGFtcGxlLm9yZ4cEfwAAATAdBgNVHQ4EFgQUqt99kjz4uobdvtUxX9EeitKB\n"
                               "uIAwHwYDVR0jBBgwFoAUxr7A9405TIMjIhdwtv+ABcWC7XgwCgYIKoZIzj0EAwID\n"
                               "SAAwRQIhAJ68Y0+nquorwnLqMONFAWEWtKXO3oN8xM41n2MSz1VkAiBukxhWWaFp\n"
                               "1B/yPmuz+laLXRTp/FfoCq/hlKIxq7CMHA==\n"
                               "-----END CERTIFICATE-----\n";

const char fixture_leaf[] = "-----BEGIN CERTIFICATE-----\n"
                            "MIIBzTCCAXKgAwIBAgICEAYwCgYIKoZIzj0EAwIwJTEjMCEGA1UEAwwabG9ja3Jp\n"
                            "bmcgdGVzdCBpbnRlcm1lZGlhdGUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyNjAxMDEw\n"
                            "MDAwMDBaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49\n"
                            "AwEHA0IABJnYuwZHp131Im4yPtxHJuYoYCGaeA3jKfXCOGOjXu+dwMXIBiaqB75I\n"
                            "wvoAZoUbCJPqY2GM71NNOjiexOOVI9ejgaAwgZ0wCQYDVR0TBAIwADAOBgNVHQ8B\n"
                            "Af8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwKwYDVR0RBCQwIoIJbG9jYWxo\n"
                            "b3N0gg93d3cuZXhhbXBsZS5vcmeHBH8AAAEwHQYDVR0OBBYEFA6LBghMtCtC3s8E\n"
                            "izVDIF0k8AsZMB8GA1UdIwQYMBaAFM0QefQsj9gi5HJDHeufIg8RHKcgMAoGCCqG\n"
                            "SM49BAMCA0kAMEYCIQDZaN+ESdgLViW0jhl2gCY/ODf4b23m2s5F3ib8VA5hoQIh\n"
                            "AOc7LICm8UagS0kotEJzyeY0yuMEerlWCScHUuzYKmKk\n"
                            "-----END CERTIFICATE-----\n";

const char fixture_expired[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBwjCCAWigAwIBAgICEAcwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSbG9ja3Jp\n"
                               "bmcgdGVzdCByb290MB4XDTIwMDEwMTAwMDAwMFoXDTIwMDEwMjAwMDAwMFowFDES\n"
                               "MBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmdi7\n"
                               "BkenXfUibjI+3Ecm5ihgIZp4DeMp9cI4Y6Ne753AxcgGJqoHvkjC+gBmhRsIk+pj\n"
                               "YYzvU006OJ7E45Uj16OBoDCBnTAJBgNVHRMEAjAAMA4GA1UdDwEB/wQEAwIHgDAT\n"
                               "BgNVHSUEDDAKBggrBgEFBQcDATArBgNVHREEJDAigglsb2NhbGhvc3SCD3d3dy5l\n"
                               "eGFtcGxlLm9yZ4cEfwAAATAdBgNVHQ4EFgQUDosGCEy0K0LezwSLNUMgXSTwCxkw\n"
                               "HwYDVR0jBBgwFoAUxr7A9405TIMjIhdwtv+ABcWC7XgwCgYIKoZIzj0EAwIDSAAw\n"
                               "RQIgU/OywAFvq8UsnYKy1LtXw9SjoTIXA5L+QBWoh+ZUUYQCIQC2lZgcxM1NPLnq\n"
                               "nozbi8y4Q8m06fKKtAnxhVYMpCuUCg==\n"
                               "-----END CERTIFICATE-----\n";

const char fixture_not_yet[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBxzCCAWygAwIBAgICEAgwCgYIKoZIzj0EAwIwHTEbMBkGA1UEAwwSbG9ja3Jp\n"
                               "bmcgdGVzdCByb290MCIYDzIxMjUwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBa\n"
                               "MBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA\n"
                               "BJnYuwZHp131Im4yPtxHJuYoYCGaeA3jKfXCOGOjXu+dwMXIBiaqB75IwvoAZoUb\n"
                               "CJPqY2GM71NNOjiexOOVI9ejgaAwgZ0wCQYDVR0TBAIwADAOBgNVHQ8BAf8EBAMC\n"
                               "B4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwKwYDVR0RBCQwIoIJbG9jYWxob3N0gg93\n"
                               "d3cuZXhhbXBsZS5vcmeHBH8AAAEwHQYDVR0OBBYEFA6LBghMtCtC3s8EizVDIF0k\n"
                               "8AsZMB8GA1UdIwQYMBaAFMa+wPeNOUyDIyIXcLb/gAXFgu14MAoGCCqGSM49BAMC\n"
                               "A0kAMEYCIQCVnKFWXjsO8nqmKdN6L6h0Xwpj0zFsBg+FJTDU2ZsmuwIhANrp/mJz\n"
                               "mgbXl6iuhAk7HTZjHgIb+HaORkCuwIdltDkR\n"
                               "-----END CERTIFICATE-----\n";

const char fixture_ecdsa_key[] =
    "-----BEGIN EC PARAMETERS-----\n"
    "BggqhkjOPQMBBw==\n"
    "-----END EC PARAMETERS-----\n"
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIMzbTe80QbpfZveOP6wTt7xoXo/mxrGA70nlcRtpr7WFoAoGCCqGSM49\n"
    "AwEHoUQDQgAEmdi7BkenXfUibjI+3Ecm5ihgIZp4DeMp9cI4Y6Ne753AxcgGJqoH\n"
    "vkjC+gBmhRsIk+pjYYzvU006OJ7E45Uj1w==\n"
    "-----END EC PRIVATE KEY-----\n";

const char fixture_ecdsa_pkcs8_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzNtN7zRBul9m944/\n"
    "rBO3vGhej+bGsYDvSeVxG2mvtYWhRANCAASZ2LsGR6dd9SJuMj7cRybmKGAhmngN\n"
    "4yn1wjhjo17vncDFyAYmqge+SML6AGaFGwiT6mNhjO9TTTo4nsTjlSPX\n"
    "-----END PRIVATE KEY-----\n";

const char fixture_p384_key[] = "-----BEGIN EC PARAMETERS-----\n"
                                "BgUrgQQAIg==\n"
                                "-----END EC PARAMETERS-----\n"
                                "-----BEGIN EC PRIVATE KEY-----\n"
                                "MIGkAgEBBDCcv2V27M+wvqrgBfik8zZOSvBzY5M2PvQFgW6vkiskG/m2Gkl/sorQ\n"
                                "u0gza80LJxKgBwYFK4EEACKhZANiAATcXWXDGSKvolwKglg+iuMd3P8mx1FQZH0m\n"
                                "QH9rnkZZdF2akO6HVomaji8G6HEl7QXHh/uRSXaWW25wtv6g9Ig1IyJzCTcdEQWl\n"
                                "ssVCPdC0pNsZAesYdOZum81o9HMzn50=\n"
                                "-----END EC PRIVATE KEY-----\n";

const char fixture_rsa_key[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                               "MIIEowIBAAKCAQEAvRYmxQ8M8EOGa9nF398rYSHqy2mTrXu6lpOdRiq5jx4k2nRP\n"
                               "2rmYdAcWFqyOKuN/wXpkblp6ZvhCR8WYj7gTQaazSw60Dg1qHyo0gg+otbRRkuw5\n"
                               "qKCl+UXSMximxPeAb+frTvg5TG0dHW2LMu+FZ+DnEZXbrH+rxt9Mbv1T9NFSW6lb\n"
                               "FDTxttOhjmk86R/DT2hcUxu8vhCoSLHUwIcajMoObkHhzXuRO/nkfYDqnWpdX3MU\n"
                               "s8Om6t3EFesNDUNeoO1YZX5D/UxvqH2k6HsEWLhRD6fmAX/iY/9EfeoExvgbhN6k\n"
                               "kFoyG2mdsYZsWj03T3B2+K6sj4MVJIv+aYAlOwIDAQABAoIBAFyj9rjDh/ZLTxeW\n"
                               "KcFmiM1dHbktb+ImZaOSjRKsqh85iJrTM7CZD92A/0x6nGjc72Huwjfi8mdyqJ6b\n"
                               "bAS2DhEzSFK00Hi2D9FXD0TNwT3NK85NGG7KzqaTk8nfAQ4tqOqq+PnG2ePc7c/W\n"
                               "NMXu3jCn2u4duvQH1TRpgPw7959Q+dj+e2RNqryVzhYUJavpujxWRDNEoynsEZNo\n"
                               "zYOof4zJUIHN5RxS1K9kB6FrtMtCXZlTp1GSVnFTCy00rL4w15T9usdZ2lv2vRgq\n"
                               "iyY4SLhOWdMSD9ODIeXyPByn11NSQgbFp9U/UIFgWhLcoXK6RrIkLosEJBhXOAxc\n"
                               "UojP75kCgYEA+F5HwL3c2ZQzRwcHQxF6xFeJbMysO1InGpUOG6Em3GDrJwXGGyzB\n"
                               "CcdjzNLS515KCQEcVHTPFFWaHSIsmIT1DDYbRXyFLBCKRvIFUMpWfqeHa2dayJNq\n"
                               "NJPDdnex8wMDUAExHxEObQX4c12QAiYdiyksQm4f2ntcsfidKLxxWz8CgYEAwuWM\n"
                               "PRKbO7dOvwkRLl/8I1DgKsp+OFBndvOOB5ZtJClkajGWV5KHivASa7iGoAhmQKVq\n"
                               "LPY4y8yDHrXP5nMR0V7DX7AZAtSFLJ7HEubbA1r652qDOjs34RH3+KwBtfDg6G5/\n"
                               "G1LctctX9ahdjJBO1BUFqzUbhDhWD9fCvNsAYwUCgYEAnN5ncWw5vk7laDofMxQq\n"
                               "NzKWwNow+jK0Mgzs4TSSp+SrAXWbH3TP485E0Yxi2vFpz3AdJZa1aEF82mPISPjJ\n"
                               "EVJnPScdsawsugyIoPN7V/mWBZc89qxtCxI9BWkqQrOndvOZw+Zw9xkrSCpTF5hd\n"
                               "VpTFuJt3kPYToPDGyoDjE98CgYBJpa5pwacxWKKEI+v/JzxDKCOdZ+lsZE3EsGJi\n"
                               "UaCqgo20Z0qViwR3JyL+27rbrHDfSuKlXOG3eW+u4itOvPrlsDaJ6SR6Yk50vwch\n"
                               "CGWIjg+z9RbjoU8LWNvody8qTnzeuCqF67kFZXK2nMnE/R8cm1kKCkZ8n0E+OV0Y\n"
                               "OnWZ9QKBgGxxVLbz2+mKBGwrgUGL9MhZT4mrBLp3UOGo7VpShokGRFUa9zX/oXyc\n"
                               "V3ObEf3GOf5pVxNiZm3SSPGjNmmaUG/4WspI1Ys/xOW+HYkOm7lxYJVbYACTBgQS\n"
                               "MXoaReHLEW6pZEdgqZliMV9tBewUrmw5mcQ9LFvgIFK5HiUY8EUt\n"
                               "-----END RSA PRIVATE KEY-----\n";

const char fixture_ed25519_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIASvgZIa7nEhHajEpUn/MJki1czsLMam6vszyuzUV+1G\n"
    "-----END PRIVATE KEY-----\n";

const char fixture_encrypted_pkcs8_key[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjnH5TuCl/dFQICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEAuPCnBK42XUFghPMoymbowEgZBS\n"
    "6O5fUcTR4cLQ80DXAzFXCOIWLrz/et6W5TgSt0OB2yN3H0xt+d7+fLSK5G1WNE+v\n"
    "NKaP3/a7OMSZujtz9YUivNGOgdLfN9nE/BjN+MVDlw+4NBdXNfFvbmdsChOq8Mct\n"
    "J00oR1GvRqi6KvNj5jMKQVF/cHWTzdfjPUn0MuNgpV+q3EdNqyulMwVb0jReR+s=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

const char fixture_encrypted_sec1_key[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,A974D2BA6E6058ADDC4C8A9219DACC9D\n"
    "\n"
    "XBGnE7Y9vBPmzxYICOrg2yyM7DmkSsr5s7FbbmOUnjTeQV5bMxX7vibpctmpsZFU\n"
    "Rml2iPoPwpRo/fYlMsWmwavxXl3kLapJZUalMalGL7T57mb+J2R6acNnrv/8cPZj\n"
    "Ss7vWNRi0NgXjaRedCq+mijcoQhWAckPcZvvIsoDGxE=\n"
    "-----END EC PRIVATE KEY-----\n";

const char fixture_other_key[] =
    "-----BEGIN EC PARAMETERS-----\n"
    "BggqhkjOPQMBBw==\n"
    "-----END EC PARAMETERS-----\n"
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIDTo7PhuQelV+qgM3YztZ9YJd/wo9zrpnrcuwKMTezbioAoGCCqGSM49\n"
    "AwEHoUQDQgAEosn2qH/DEJtQVsYuU9EOXk4dtq8EUKFpffY900VGNSn0CASmiM6M\n"
    "s5wF5gF0G+Tij2Yzn39oxBLby91sTovfRg==\n"
    "-----END EC PRIVATE KEY-----\n";

const char fixture_encrypted_pkcs1_key[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: DES-EDE3-CBC,8A65BEA0D4C7D634\n"
    "\n"
    "ItCdRAlqzgJSgyriXnB9EGJFnB3jf6wTmJyXnaIS6lU7QZYNG3cWDM5VM5QLWF0p\n"
    "aBKRhzDJt43IxdaSaa+dRO7EkpbFrfO5Vlq0cPLz2kmdl5Ogn8lBzq7tFZAfzH9z\n"
    "y+vnvzbPpEI18WRblzFR8zu14t8XbWQXP387AujPEENitUTbENSz69YQR/GsMs33\n"
    "ja3cYkzs4ch7bWlJ1mLBWo8SNUkzIG2/w86j0LfO2BXaBIYVdYsP3JyIEpgjMza+\n"
    "O/j9f4mIAFkBopcuQqzZ96t1RH7RFLMiwGIT8yaCPqICu/bWpojaG/g1hofdWBmy\n"
    "ZtjQpAwOSrcMsXB85SjchdPGtJHCK8m2nlqsqxa2T2UbxEzW8UCKEmshwKdAkR0/\n"
    "04LDfN435emI3Pxe6RimkSt0cW1bReuTqjd8IS7eLMPURwQYAfBgPx+ZTkRl3s14\n"
    "e4w3+MGFTAfd1BcL3t5pGBJB6LY2Vseovq56JQumFRuKOTcF06KruF6A1zY+4iNz\n"
    "GYgwUXIrAS/Bb/DYdquo0bmBozEdhJYTPZd8H9LZFZEQCo01X78SgjIbVWaKt1zV\n"
    "MbHzRc2WAvh5LuATssrZ/YHOlvo00COkvmKyROZzKfxAniB8uYHPXc7j9plar6Y+\n"
    "O2GHnPA8zeO7Elwljv+myjgCD8KctzenvpJJ4EmKTX0LFbcMsRSVUS2T3w10VMCP\n"
    "1mLYlpgpc4goHv9VUYWUqxRERmo7apyhbp1LaUdUF+prj2eDdKNWz0OxY8SnqqUP\n"
    "cMi8FtgYIgK5TDEqnE6mVvDvuJKHJbn/9JfZ4QbqGNJT97wKcH6b44HHHNJEGLkb\n"
    "FaSjHTln4ewnyKxD0Oz7Hm6jz0iJOzg69mG5CfbozM5UPy6O0gGryuemdwxs34QP\n"
    "LBbsGrMoNXc2Nj3isVLLLAMREGvzUhwCM/OI2vIi7q8W6aQH769aI0reqZYQnbgI\n"
    "46OV89xiGvzceGzVwiUnsTx6/Szh23ZZv6BvOqxMTQGHngMPJKm1uQmwQgvVZOov\n"
    "GZoGGjlLHaDF7tnDKXo0HIbIj6wzSS3nVASUbPt8esjp/HWlg4oHk62n4HmoROXp\n"
    "PCV4BXcDMxTM07rLq4CrBLSAjGlNOX36E1TQBCkMvt7oQ8c7YTF7nopE3ZOFPPMe\n"
    "mV6GAQTm9QtO1bFpSMwX7v1e6qIWO46ZyUCWOLdVjuNcBWEKn1D5j52Kf6OODIRR\n"
    "i3yQLsLDkLli4CTxUlJ2Cu+RlD12FPhNVRHB5uVGAsu5vHuN22LB+e85SEQ6c+43\n"
    "NEXQbQn10/AXuH4VnT0Ruk5XgNSqeuQmnFq1E0wJEv6hUB5dtuT3XR7bDDrc+ags\n"
    "xp+QlpJjOJqJZiDXq7dmXLBDxT/EaGef9gZQZeM9cegkcE8XL1I6qAwIOgVp+Tac\n"
    "NOGNmz4U99K0K70W4vPy3lBGSJw0UJTs2LkKHqyo2IMT3HvSibMvFWB48uwNDOlw\n"
    "hJzk8ZWCFm3KT8/Brzv1mv+ghsEDGDxf8T7KQxbSFK2XfgTJyi/TCzbOvpMe0OTL\n"
    "H1m3S5BYV6rqGGcaNMnUQmKTNYQy4qBlKj8Tvjo0EkaMWagVoU/Ing==\n"
    "-----END RSA PRIVATE KEY-----\n";

const char fixture_encrypted_ed25519_key[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIGNMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAicoQGcMeFkRQICCAAw\n"
    "HQYJYIZIAWUDBAECBBCc/rUxW16VMXWHHBXl5GJsBECNkHUQ74NaJbL1rjtP6SFs\n"
    "nHwcXCB8MKOj0Qvt8XAjOHiFJdMR3sgR7y42x8je3fucezmatscuW2mUG9f7rDMU\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

const char fixture_encrypted_des3_key[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAirhnEgA58oSgICCAAw\n"
    "DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIgObi+GappLQEgZD1QawGiZnnPidq\n"
    "eulYkdnDChxlrQ5/Rur0utn8BpuTXbJxvDW9VYfJ57HgZ63rSdR2cgVA5A4p+c0E\n"
    "2epL7NYBD53jV/Ndc9diC7x4WSxH+8Eigaw7sjHfVX9IyjSTpre3WehzSVQEzlgM\n"
    "+3ucZ8sHk+2JAqqZqlbLkqM2PKbHSvmhpLOJ+NRNuzz3DrstLFw=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

const char fixture_encrypted_scrypt_key[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAiZtxBxzukC1QICQAAC\n"
    "AQgCAQEwHQYJYIZIAWUDBAEqBBD191y2etNSlQJLyS7FKThoBIGQjVp2uyYLB/5U\n"
    "h6ysh93yvQumgtluo7M6OI9cUjxxAYlR9o1G0bQz6e8bnAkyJjGelfgh5G50nQtc\n"
    "PnuNfhwo2kfcNJkL+9DX2letjRKM78KDV9XbCcJ/eHDou+o6th7lsly2Yx6WOtZK\n"
    "fPaaR6ARS65aJT2UWOjLJrAWT+a33qpPtxDbt3z2ZnxgtCdCvQ9K\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";
